"""Your own pictures of two or more domains, a folder each, without pairs: the field `domain` says which."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from genpipe.dataset.layout import Layout, layout
from genpipe.dataset.picture_files import channels_of, located, watched_path
from genpipe.dataset.picture_folders import FolderPictures
from genpipe.dataset.splitting import pieces, splits_of
from genpipe.errors import DataError
from genpipe.interfaces.sources import Chunk, Collection, Source
from genpipe.interfaces.spec import FieldSpec
from genpipe.schema import Strict


class UnpairedFolders(Source):
    """Folders of pictures that have no partners, as CycleGAN has them (Zhu et al. 2017, arXiv:1703.10593)."""

    class Config(Strict):
        folders: Annotated[dict[str, Annotated[str, Field(min_length=1)]], Field(min_length=2)]
        """The path of each domain, by its name."""
        splits: bool = True
        """Whether the folders "train", "test" and "val" at the top of each are the splits."""
        test_images: Annotated[int, Field(ge=2)] | None = None
        """The number of held-out images of all domains without such folders. Default: a tenth."""

        @model_validator(mode="after")
        def _no_folder_twice(self) -> Any:
            if len(set(self.folders.values())) < len(self.folders):
                raise ValueError("two domains have one folder; give each its own")
            return self

    classes = ()
    field_knobs = {"domain": {"folders": {"photo": "PHOTOS", "painting": "PAINTINGS"}}}

    def __init__(self, config: Config, root: Path) -> None:
        self.config = config
        self.pictures = {name: FolderPictures(located(path, root)) for name, path in config.folders.items()}

    @property
    def channels(self) -> int:
        colored = [has for pictures in self.pictures.values() for has in pictures.listing.colored]
        return channels_of(self._names, colored, " and ".join(self.config.folders.values()))

    @property
    def fields(self) -> Mapping[str, FieldSpec]:
        return {"domain": FieldSpec("class", (), len(self.pictures), tuple(self.pictures))}

    @property
    def watched_paths(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(watched_path, self.config.folders.values())))

    def state(self) -> str:
        return " ".join(pictures.state() for pictures in self.pictures.values())

    def collection(self, seed: int) -> Collection:
        domains = self._domains
        parts, found = self._splits(), list(self._layouts.values())
        if parts is None:
            return Collection(
                self._read, splits_of(domains, len(domains), self.config.test_images, seed), None, self._names
            )
        unused = {f"{d}/{n}": count for d, one in self._layouts.items() for n, count in one.unused_images.items()}
        return Collection(self._read, parts, None, self._names, split_names=found[0].split_names, unused_images=unused)

    def _read(self, rows: np.ndarray) -> Iterator[Chunk]:
        domains, first = self._domains, np.searchsorted(self._domains, np.arange(len(self.pictures)))
        for number, pictures in enumerate(self.pictures.values()):
            for some in pieces(rows[domains[rows] == number]):
                files = [
                    (self._names[row], pictures.path / pictures.listing.names[row - first[number]]) for row in some
                ]
                yield Chunk(files, {"domain": np.full(len(some), number)})

    @cached_property
    def _domains(self) -> np.ndarray:
        """The number of each picture's domain; they come one domain after the other."""
        return np.repeat(np.arange(len(self.pictures)), [len(one.listing.names) for one in self.pictures.values()])

    @cached_property
    def _names(self) -> list[str]:
        return [f"{domain}/{name}" for domain, one in self.pictures.items() for name in one.listing.names]

    @cached_property
    def _layouts(self) -> Mapping[str, Layout]:
        knobs = self.config
        return {
            domain: layout(one.listing.names, None, False, knobs.folders[domain], splits=knobs.splits)
            for domain, one in self.pictures.items()
        }

    def _splits(self) -> np.ndarray | None:
        """The official split of each picture; None if no domain has them. Raises DataError if only some have."""
        parts = {domain: one.splits for domain, one in self._layouts.items()}
        given = [found for found in parts.values() if found is not None]
        if given and len(given) < len(parts):
            lacking = ", ".join(domain for domain, found in parts.items() if found is None)
            raise DataError(
                f"of the folders only some have `train` and `test`; those of {lacking} lack them. Give them to all, or "
                "set `splits: false` to hold images out at random."
            )
        return np.concatenate(given) if given else None
