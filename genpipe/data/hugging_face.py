"""An image data set of the Hugging Face Hub (with the extra: pip install 'genpipe[hub]')."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from genpipe import paths
from genpipe.data._decoding import coloured
from genpipe.data._files import LOOKED_AT, in_chunks
from genpipe.data._splitting import parts_of
from genpipe.data._torchvision import Part, joined
from genpipe.errors import DataError
from genpipe.interfaces import Collection, Encoded, Source
from genpipe.schema import Strict


class HuggingFace(Source):
    """A data set with a column of images; its splits "train" and "test" are kept."""

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
        return tuple(self._splits[0].features[self.config.label].names) if self.config.label else ()

    @property
    def channels(self) -> int:
        table, some = self._splits[0], range(min(LOOKED_AT, len(self._splits[0])))
        return 3 if any(coloured(self._content(table, row)[1]) for row in some) else 1

    def collection(self, seed: int) -> Collection:
        found = joined([self._part(table) for table in self._splits])
        if len(self._splits) == 2:
            return found
        parts = parts_of(found.labels, len(found.parts), self.config.test_images, seed)
        return Collection(found.read, parts, found.labels)

    def _part(self, table: Any) -> Part:
        labels = np.asarray(table[self.config.label], np.int64) if self.config.label else None
        return lambda rows: in_chunks(self._files(table, rows)), labels, len(table)

    def _files(self, table: Any, rows: np.ndarray) -> Iterator[Encoded]:
        return (self._content(table, int(row)) for row in rows)

    def _content(self, table: Any, row: int) -> Encoded:
        cell = table[row][self.config.image]
        return cell["path"] or f"row {row}", cell["bytes"] or b""

    @cached_property
    def _splits(self) -> list[Any]:
        """The training split and, if there is one, the test split, images as they are stored."""
        try:
            from datasets import Image, load_dataset
        except ModuleNotFoundError:
            raise DataError(
                "data sets of the Hugging Face Hub need one more package: pip install 'genpipe[hub]'."
            ) from None
        try:
            found = load_dataset(self.config.path, revision=self.config.revision, cache_dir=str(paths.cache() / "hub"))
            tables = [found[split] for split in ("train", "test") if split in found]
            if not tables:
                raise ValueError(f'it has no split "train", only {", ".join(found)}')
            kept = [column for column in (self.config.image, self.config.label) if column]
            return [t.select_columns(kept).cast_column(self.config.image, Image(decode=False)) for t in tables]
        except Exception as error:  # the Hub, the network and the data set raise what they like
            raise DataError(f"{self.config.path} could not be had from the Hugging Face Hub: {error}.") from None
