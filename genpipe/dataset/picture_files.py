"""The common part of sources that read the user's picture files."""

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import Field

from genpipe import paths
from genpipe.dataset.layout import Layout, ending, layout
from genpipe.dataset.splitting import CHUNK_IMAGES, splits_of
from genpipe.errors import DataError
from genpipe.files import read_json, write_json
from genpipe.interfaces.sources import Chunk, Collection, EncodedImage, Source
from genpipe.schema import Strict

_CHUNK_BYTES = 4 * 2**20
Kept = TypeVar("Kept")


class OwnFiles(Strict):
    """Knobs of the user's own pictures."""

    path: Annotated[str, Field(min_length=1)]
    """The path as given; a relative one begins at the project's root."""
    labels: bool = True
    """Whether folders, or a dataset.json, name the classes."""
    splits: bool = True
    """Whether the folders "train", "test" and "val" at the top are the splits, and not classes."""
    test_images: Annotated[int, Field(ge=1)] | None = None
    """The number of held-out images without folders "train" and "test". Default: a tenth."""


@dataclass(frozen=True)
class Listing:
    """The picture files of a source, in reading order."""

    names: list[str]
    annotations: dict[str, int] | None
    colored: list[bool | None]
    """Whether each has colors; None if the header cannot be read."""
    skipped: dict[str, int] = field(default_factory=dict)
    """The number of other files by their ending, and of links, which are not followed."""
    held_by: Mapping[str, str] = field(default_factory=dict)
    """The target's name for each file that is a hard link in the same archive."""


class Pictures(ABC):
    """The picture files of one folder or one archive."""

    def __init__(self, path: Path, labels: bool = False) -> None:
        self.path, self.labels = path, labels
        """Where they are, and whether a dataset.json is read."""

    @abstractmethod
    def listed(self) -> Listing:
        """Returns the picture files. Raises DataError."""

    @abstractmethod
    def files(self, rows: np.ndarray) -> Iterator[EncodedImage]:
        """Yields the name and the file of the pictures with these numbers, which rise."""

    @abstractmethod
    def state(self) -> str:
        """Returns a text that changes with the files. Raises DataError if they cannot be read."""

    @cached_property
    def listing(self) -> Listing:
        """The picture files. Raises DataError if there are none."""
        found = remembered(f"{self.path.resolve()} {self.labels}", self.state(), Listing, self.listed)
        if not found.names:
            others = f" Skipped: {counted(found.skipped)}; links are not followed." if found.skipped else ""
            raise DataError(f"{self.path} holds no pictures (.png, .jpg, .webp, …).{others}")
        return found


class PictureFiles(Source):
    """Pictures in files, with labels and splits from the names."""

    def __init__(self, config: OwnFiles, root: Path) -> None:
        self.config = config
        self.path = located(config.path, root)

    @abstractmethod
    def opened(self) -> Pictures:
        """Returns the pictures at the path."""

    @cached_property
    def pictures(self) -> Pictures:
        """The pictures at the path."""
        return self.opened()

    @property
    def listing(self) -> Listing:
        """The picture files. Raises DataError if there are none."""
        return self.pictures.listing

    def chunks(self, rows: np.ndarray) -> Iterator[Chunk]:
        """Yields the pictures with these numbers, and their fields."""
        return in_chunks(self.pictures.files(rows))

    @cached_property
    def _layout(self) -> Layout:
        knobs = self.config
        return layout(self.listing.names, self.listing.annotations, knobs.labels, str(self.path), splits=knobs.splits)

    @property
    def classes(self) -> tuple[str, ...]:
        return self._layout.classes

    @property
    def channels(self) -> int:
        names, colored, parts = self.listing.names, self.listing.colored, self._layout.splits
        rows = range(len(names)) if parts is None else np.flatnonzero(parts >= 0).tolist()
        return channels_of([names[row] for row in rows], [colored[row] for row in rows], str(self.path))

    def collection(self, seed: int) -> Collection:
        found, listing = self._layout, self.listing
        parts = found.splits
        if parts is None:
            parts = splits_of(found.labels, len(listing.names), self.config.test_images, seed)
        return Collection(
            self.chunks,
            parts,
            found.labels,
            listing.names,
            split_names=found.split_names,
            unused_images=found.unused_images,
            skipped_files=listing.skipped,
        )

    @property
    def watched_paths(self) -> tuple[str, ...]:
        return (watched_path(self.config.path),)

    def state(self) -> str:
        return self.pictures.state()


def located(path: str, root: Path) -> Path:
    """Returns the location of a path given by the user."""
    return root / paths.expanded(path)


def watched_path(path: str) -> str:
    """Returns the user's path for DVC, with "~" expanded."""
    return str(paths.expanded(path))


def in_chunks(files: Iterator[EncodedImage]) -> Iterator[Chunk]:
    """Yields the files, a few hundred at a time, or fewer if they are large."""
    return map(Chunk, grouped(files))


def grouped(files: Iterator[EncodedImage]) -> Iterator[list[EncodedImage]]:
    """Yields the files of one chunk after the other."""
    some: list[EncodedImage] = []
    size = 0
    for name, content in files:
        some.append((name, content))
        size += len(content) if isinstance(content, bytes) else 0
        if len(some) == CHUNK_IMAGES or size >= _CHUNK_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some


def stamp(path: Path) -> str:
    """Returns a text that changes with a file's size or modification time. Raises DataError if it is missing."""
    try:
        found = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    return f"{found.st_size} {found.st_mtime_ns}"


def remembered(name: str, state: str, kind: type[Kept], find: Callable[[], Kept]) -> Kept:
    """Returns the dataclass of this name that `find` makes, cached beside the downloads while the state is the same."""
    key = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    file = paths.cache() / "listings" / f"{key}.json"
    with suppress(OSError, ValueError, TypeError, KeyError):
        kept = read_json(file)
        if kept["state"] == state:
            return kind(**kept["listing"])
    found: Any = find()
    with suppress(OSError, ValueError):
        write_json(file, {"state": state, "listing": asdict(found)})
    return found


def channels_of(names: Sequence[str], colored: Sequence[bool | None], shown_as: str) -> int:
    """Returns 1 or 3, if all pictures are gray or all have colors. Raises DataError if there are both."""
    pairs = list(zip(names, colored, strict=True))
    gray, color = ([name for name, has in pairs if has is kind] for kind in (False, True))
    if gray and color:
        raise DataError(
            f"{shown_as}: {len(gray):,} of the pictures are gray (such as {gray[0]}) and {len(color):,} in color "
            f"(such as {color[0]}). Say what all are to be: `channels: 1` makes them gray, `channels: 3` keeps the "
            "colors; on the command line --channels."
        )
    return 3 if color else 1


def skipped(names: Iterable[str], links: int = 0) -> dict[str, int]:
    """Returns the number of other files by ending, most frequent first, and of links."""
    found = Counter({"links": links} if links else {})
    found.update(end for name in names if (end := ending(name)))
    return dict(found.most_common())


def counted(things: Mapping[str, int]) -> str:
    """Returns "a (3), b (2), c (1) and 5 more"."""
    first = ", ".join(f"{name} ({count:,})" for name, count in list(things.items())[:5])
    return first + (f" and {len(things) - 5} more" if len(things) > 5 else "")
