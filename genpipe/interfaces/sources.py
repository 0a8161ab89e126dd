"""Sources of images."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Int, UInt8

from genpipe.schema import Strict

SPLITS = ("train", "test")
"""The parts of every data set, in the order of their numbers."""
KNOWN_LABEL = "known_label"
"""The field with the few known labels, one-hot; unknown labels are zeros."""
Pixels = UInt8[np.ndarray, "n h w c"]
EncodedImage = tuple[str, bytes | Path]
"""The name of a picture in its source, and its file: the content or the path."""


@dataclass(frozen=True)
class Chunk:
    """Some consecutive images: pixels of one size, or picture files that are not yet decoded."""

    images: Pixels | Sequence[EncodedImage]
    fields: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Other fields by name: an array with a row per image.

    A number an image is a factor of it: whole numbers are categories, real ones are continuous, and complex ones of
    length 1 are places on a circle, for what comes round again. What is no factor has rows, or is text.
    """


@dataclass(frozen=True)
class Collection:
    """All the images of a source, numbered from 0, with what is known before any of them is read."""

    read: Callable[[Int[np.ndarray, "k"]], Iterable[Chunk]]
    """The images with these numbers, which rise, a few hundred at a time."""
    splits: Int[np.ndarray, "n"]
    """The index in SPLITS of each image's split; −1: none, the image is left out."""
    labels: Int[np.ndarray, "n"] | None
    names: Sequence[str] | None = None
    """The names of the images in the source."""
    split_names: Sequence[str] = ()
    """The names of SPLITS in the source, if the source defines the splits."""
    unused_images: Mapping[str, int] = field(default_factory=dict)
    """The number of images in each unused split, by its name."""
    skipped_files: Mapping[str, int] = field(default_factory=dict)
    """The number of skipped files that are not readable pictures, by their kind."""


class Source(ABC):
    """A source of images; it is built from its own `Config` and the folder at which relative paths begin."""

    Config: ClassVar[type[Strict]]

    @abstractmethod
    def __init__(self, config: Any, root: Path) -> None: ...

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, found without decoding pictures; none if there are no labels."""

    @property
    @abstractmethod
    def channels(self) -> int:
        """1 for gray, 3 for color, found without decoding pictures. Raises DataError if the source has both."""

    @abstractmethod
    def collection(self, seed: int) -> Collection:
        """Returns all images; the seed decides the splits, if the source leaves them open."""

    @property
    def factors(self) -> tuple[str, ...] | None:
        """The names of chunk fields with one number per image; None if only reading tells."""
        return ()

    @property
    def fields(self) -> tuple[str, ...] | None:
        """The names of all other chunk fields, in the same way."""
        return ()

    @property
    def watched_path(self) -> str | None:
        """The path of the user's files, which may change; None if the data are fixed."""
        return None

    def state(self) -> str:
        """Returns a text that changes with the files at `watched_path`. Raises DataError if they cannot be read."""
        return ""
