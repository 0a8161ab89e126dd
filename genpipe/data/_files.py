"""What sources of a person's own picture files share."""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from genpipe import paths
from genpipe.data._layout import Layout, layout
from genpipe.data._splitting import CHUNK_IMAGES, parts_of
from genpipe.errors import DataError
from genpipe.files import read_json, write_json
from genpipe.interfaces import Chunk, Collection, Encoded, Source
from genpipe.schema import Strict

LOOKED_AT = 16
"""Of so many pictures the header tells whether there is colour."""
_CHUNK_BYTES = 4 * 2**20


class OwnFiles(Strict):
    """A person's own pictures."""

    path: Annotated[str, Field(min_length=1)]
    """As the person gave it; a relative one begins at the project's root."""
    labels: bool = True
    """Whether folders, or a dataset.json, name the classes."""
    test_images: Annotated[int, Field(ge=1)] | None = None
    """How many are held out where no folders "train" and "test" say which; a tenth, if not given."""


@dataclass(frozen=True)
class Listing:
    """The picture files of a source, in the order in which they are read."""

    names: list[str]
    annotations: dict[str, int] | None
    coloured: bool
    links: int = 0
    """How many links were not followed."""


class PictureFiles(Source):
    """Pictures in files, with labels and splits from the names."""

    def __init__(self, config: OwnFiles, root: Path) -> None:
        self.config = config
        self.path = located(config.path, root)

    @abstractmethod
    def listed(self) -> Listing:
        """The picture files. Raises DataError."""

    @abstractmethod
    def files(self, rows: np.ndarray) -> Iterator[Encoded]:
        """The files with these numbers."""

    @cached_property
    def listing(self) -> Listing:
        """The picture files. Raises DataError if there are none."""
        found = self.listed()
        if not found.names:
            links = f" {found.links} links are there; links are not followed." if found.links else ""
            raise DataError(f"{self.path} holds no pictures (.png, .jpg, .webp, …).{links}")
        return found

    @cached_property
    def _layout(self) -> Layout:
        return layout(self.listing.names, self.listing.annotations, self.config.labels, str(self.path))

    @property
    def classes(self) -> tuple[str, ...]:
        return self._layout.classes

    @property
    def channels(self) -> int:
        return 3 if self.listing.coloured else 1

    def collection(self, seed: int) -> Collection:
        parts, labels = self._layout.parts, self._layout.labels
        if parts is None:
            parts = parts_of(labels, len(self.listing.names), self.config.test_images, seed)
        return Collection(lambda rows: in_chunks(self.files(rows)), parts, labels, self.listing.names)

    @property
    def watched(self) -> str:
        return watched(self.config.path)


def located(path: str, root: Path) -> Path:
    """Where a path leads that a person gave."""
    return root / paths.expanded(path)


def watched(path: str) -> str:
    """A path that a person gave, for DVC, which does not know what "~" is."""
    return str(paths.expanded(path))


def in_chunks(files: Iterator[Encoded]) -> Iterator[Chunk]:
    """The files, a few hundred at a time, or fewer if they are large."""
    some: list[Encoded] = []
    size = 0
    for name, content in files:
        some.append((name, content))
        size += len(content) if isinstance(content, bytes) else 0
        if len(some) == CHUNK_IMAGES or size >= _CHUNK_BYTES:
            yield Chunk(some)
            some, size = [], 0
    if some:
        yield Chunk(some)


def stamp(path: Path) -> str:
    """A text that changes with a file's size or time of change. Raises DataError if it is not there."""
    try:
        found = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    return f"{found.st_size} {found.st_mtime_ns}"


def remembered(path: Path, listed: Callable[[], Listing]) -> Listing:
    """The listing of an archive, made once and kept beside the downloads for as long as the archive stays the same."""
    key = json.dumps([str(path.resolve()), stamp(path), 1])
    file = paths.cache() / "listings" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
    with suppress(OSError, ValueError, TypeError):
        return Listing(**read_json(file))
    listing = listed()
    with suppress(OSError, ValueError):
        write_json(file, asdict(listing))
    return listing
