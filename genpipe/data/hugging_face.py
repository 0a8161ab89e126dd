"""An image data set of the Hugging Face Hub (with the extra: pip install 'genpipe[hub]')."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from genpipe import paths
from genpipe.dataset.decoding import colored
from genpipe.dataset.layout import split_numbers
from genpipe.dataset.picture_files import Listing, channels_of, in_chunks, remembered, stamp
from genpipe.dataset.splitting import splits_of
from genpipe.dataset.torchvision_sets import Part, joined
from genpipe.errors import DataError
from genpipe.interfaces.sources import Collection, EncodedImage, Source
from genpipe.schema import Strict


class HuggingFace(Source):
    """A data set with a column of images; its splits "train" and "test", or without that "validation", are kept."""

    class Config(Strict):
        path: Annotated[str, Field(min_length=1)]
        """The data set's name: "ylecun/mnist"."""
        revision: str | None = None
        """A commit, so that the data stay what they are."""
        image: str = "image"
        """The column of the images."""
        label: str | None = "label"
        """The column of the labels; null if there is none."""
        test_images: Annotated[int, Field(ge=1)] | None = None
        """How many are held out where there is no split "test"; a tenth, if not given."""

    def __init__(self, config: Config, root: Path) -> None:
        self.config = config

    @property
    def classes(self) -> tuple[str, ...]:
        table = next(iter(self._splits.values()))
        return tuple(table.features[self.config.label].names) if self.config.label else ()

    @property
    def channels(self) -> int:
        name = f"hugging_face {self.config.path} {self.config.image}"
        found = remembered(name, self._stored(), Listing, self._listed)
        return channels_of(found.names, found.colored, self.config.path)

    def collection(self, seed: int) -> Collection:
        found = joined([self._part(table) for table in self._splits.values()])
        unused = {split: len(table) for split, table in self._found.items() if split not in self._splits}
        if len(self._splits) == 2:
            return replace(found, split_names=tuple(self._splits), unused_images=unused)
        parts = splits_of(found.labels, len(found.splits), self.config.test_images, seed)
        return replace(found, splits=parts, unused_images=unused)

    def _listed(self) -> Listing:
        files = (self._content(table, row) for table in self._splits.values() for row in range(len(table)))
        found = [(name, colored(content)) for name, content in files]
        return Listing([name for name, _ in found], None, [has for _, has in found])

    def _stored(self) -> str:
        """A text that changes with the files in which the package keeps the splits."""
        tables = self._splits.values()
        files = [file["filename"] for table in tables for file in table.cache_files]
        return " ".join([*(str(len(table)) for table in tables), *(f"{file} {stamp(Path(file))}" for file in files)])

    def _part(self, table: Any) -> Part:
        labels = np.asarray(table[self.config.label], np.int64) if self.config.label else None
        return lambda rows: in_chunks(self._files(table, rows)), labels, len(table)

    def _files(self, table: Any, rows: np.ndarray) -> Iterator[EncodedImage]:
        return (self._content(table, int(row)) for row in rows)

    def _content(self, table: Any, row: int) -> EncodedImage:
        cell = table[row][self.config.image]
        return cell["path"] or f"row {row}", cell["bytes"] or b""

    @cached_property
    def _splits(self) -> dict[str, Any]:
        """The training split and, if there is one, the test split, by name."""
        numbers = {number: name for name, number in split_numbers(self._found).items() if number >= 0}
        if not numbers:
            raise DataError(f'{self.config.path} has no split "train" or "test", only {", ".join(self._found)}.')
        return {numbers[number]: self._found[numbers[number]] for number in sorted(numbers)}

    @cached_property
    def _found(self) -> dict[str, Any]:
        """All splits by name, images as they are stored."""
        try:
            from datasets import Image, load_dataset
        except ModuleNotFoundError:
            raise DataError(
                "data sets of the Hugging Face Hub need one more package: pip install 'genpipe[hub]'."
            ) from None
        try:
            found = load_dataset(self.config.path, revision=self.config.revision, cache_dir=str(paths.cache() / "hub"))
            kept = [column for column in (self.config.image, self.config.label) if column]
            as_stored = Image(decode=False)
            return {
                split: t.select_columns(kept).cast_column(self.config.image, as_stored) for split, t in found.items()
            }
        except Exception as error:  # the Hub, the network and the data set raise what they like
            raise DataError(f"{self.config.path} could not be had from the Hugging Face Hub: {error}.") from None
