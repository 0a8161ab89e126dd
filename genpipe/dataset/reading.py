"""Images in the user's files, as commands read them: all images, of any class or split."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from genpipe import registry
from genpipe.dataset.decoding import Broken, colored, decoded
from genpipe.dataset.natural_order import natural_order
from genpipe.dataset.picture_files import OwnFiles
from genpipe.dataset.picture_folders import FolderPictures
from genpipe.dataset.preparing import finished
from genpipe.dataset.storage import ArrayFile
from genpipe.dataset.working import Done, Target, cores
from genpipe.errors import DataError, UsageError
from genpipe.interfaces.sources import Chunk, Collection, EncodedField, EncodedImage, Pixels, Source
from genpipe.interfaces.spec import ImageSize

_KINDS = {".npy": "arrays", ".npz": "arrays"}
_NAMED = 5


@dataclass(frozen=True)
class Reading:
    """Options for reading images."""

    size: ImageSize | None = None
    """Side, or height and width, in pixels. Default: as in the files, which must agree."""
    channels: int | None = None
    """1 for gray, 3 for color. Default: as in the files, which must agree."""
    fit: str = "crop"
    """How to resize images, as in a data set."""
    skip_broken: bool = False
    """Whether pictures that cannot be read are left out."""
    told: Callable[[str], None] = lambda text: None
    """Called with messages about images that were left out or changed."""


class Images(NamedTuple):
    """Images, and the names of their files, if they are picture files."""

    images: UInt8[np.ndarray, "n c h w"]
    names: Sequence[str] | None


class Held(Source):
    """Images as pixels [n h w c] or as picture files, without classes and splits; beside files, those of fields."""

    classes = ()

    def __init__(
        self,
        images: Pixels | Sequence[EncodedImage],
        beside: Mapping[str, Sequence[EncodedField]] = MappingProxyType({}),
    ) -> None:
        self.images, self.beside = images, beside

    @cached_property
    def channels(self) -> int:
        if isinstance(self.images, np.ndarray):
            return self.images.shape[3]
        colors = {bool(colored(content)) for _, content in self.images}
        if len(colors) > 1:
            raise DataError("some of the pictures are gray and some in color. Say with --channels what all are to be.")
        return 3 if colors == {True} else 1

    def collection(self, seed: int) -> Collection:
        return Collection(self._read, np.zeros(len(self.images), np.int64), None)

    def _read(self, rows: np.ndarray) -> Iterator[Chunk]:
        some = self.images[rows] if isinstance(self.images, np.ndarray) else [self.images[row] for row in rows.tolist()]
        yield Chunk(some, {name: [files[row] for row in rows.tolist()] for name, files in self.beside.items()})


def source_at(path: Path) -> Source:
    """Returns the source for a folder, an archive, a picture or a file of arrays, without classes and splits."""
    if _is_picture(path):
        return Held([(path.name, path.resolve())])
    kind = "folder" if path.is_dir() else _KINDS.get(path.suffix, "archive")
    made = registry.load("data", kind)
    asked = {"labels": False, "splits": False} if issubclass(made.Config, OwnFiles) else {}
    return made(made.Config(path=str(path.resolve()), **asked), Path())


def pictures_at(path: Path) -> list[EncodedImage]:
    """Returns the picture at a path, or all pictures below a folder in natural order, none of them decoded.

    Raises UsageError if there is neither, and DataError for a folder without pictures.
    """
    if path.is_dir():
        names = FolderPictures(path).listing.names
        return [(names[row], path / names[row]) for row in natural_order(names)]
    if not _is_picture(path):
        found = "is neither" if path.exists() else "does not exist"
        raise UsageError(f"{path} {found}; give a picture (.png, .jpg, .webp, …) or a folder of pictures.")
    return [(path.name, path.resolve())]


def read(source: Source, reading: Reading, file: Path) -> Images:
    """Returns all images of a source, memory-mapped from a .npy file that it writes.

    Raises UsageError if their sizes differ and none is asked for, and DataError if they cannot be read.
    """
    collection = source.collection(0)
    channels = reading.channels or source.channels
    target = Target(reading.size or _own_size(collection, channels), channels, reading.fit)
    sizes, rows, array = _Sizes(collection), [np.zeros(0, np.int64)], ArrayFile(file)
    for piece in readable(collection, target, reading):
        if reading.size is None:
            sizes.verify(piece)
        rows.append(piece.rows)
        array.append(piece.images)
    array.close()
    return Images(np.load(file, mmap_mode="r", allow_pickle=False), _named(collection, np.concatenate(rows)))


def readable(collection: Collection, target: Target, reading: Reading) -> Iterator[Done]:
    """Yields the prepared images of a collection. Raises DataError for a broken picture, unless these are left out."""
    broken: list[tuple[str, str]] = []
    count = 0
    for piece in finished(collection, np.arange(len(collection.splits)), target, cores()):
        broken += piece.broken
        count += len(piece.images)
        if broken and not reading.skip_broken:
            raise DataError(
                f"{broken[0][0]} cannot be read: {broken[0][1]}. Mend or remove it, or leave out all that cannot be "
                "read with --skip-broken."
            )
        if len(piece.images):
            yield piece
    if not count:
        raise DataError(f"none of the pictures can be read. {_some(broken)}.")
    if broken:
        reading.told(f"left out {len(broken):,} of {count + len(broken):,} pictures: {_some(broken)}.")


def _is_picture(path: Path) -> bool:
    from PIL import Image

    return path.is_file() and path.suffix.lower() in Image.registered_extensions()


def _own_size(collection: Collection, channels: int) -> ImageSize:
    """The size of the first picture that can be read."""
    for chunk in collection.read(np.arange(len(collection.splits))):
        if isinstance(chunk.images, np.ndarray):
            return chunk.images.shape[1:3]
        for _, content in chunk.images:
            with suppress(Broken):
                return decoded(content, channels).shape[:2]
    return 1


class _Sizes:
    """How large pictures are."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._counts: Counter[tuple[int, int]] = Counter()
        self._first: dict[tuple[int, int], str] = {}

    def verify(self, piece: Done) -> None:
        """Raises UsageError if not all that came so far are alike; where they end is as good a place to say so."""
        for (height, width), row in zip(piece.sizes.tolist(), piece.rows.tolist(), strict=True):
            self._counts[height, width] += 1
            if (height, width) not in self._first:
                self._first[height, width] = (_named(self._collection, np.array([row])) or [f"image {row}"])[0]
        if len(self._counts) > 1:
            common = self._counts.most_common(_NAMED)
            told = ", ".join(f"{n} of {h}×{w} pixels (such as {self._first[h, w]})" for (h, w), n in common)
            more = f" and {len(self._counts) - _NAMED} more sizes" if len(self._counts) > _NAMED else ""
            raise UsageError(
                f"the pictures differ in size (height×width): of the first {self._counts.total()} there are {told}"
                f"{more}. Say with --size what all are to be made."
            )


def _named(collection: Collection, rows: np.ndarray) -> list[str] | None:
    return None if collection.names is None else [collection.names[row] for row in rows.tolist()]


def _some(broken: Sequence[tuple[str, str]]) -> str:
    more = f"; and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
    return "; ".join(f"{name}: {why}" for name, why in broken[:_NAMED]) + more
