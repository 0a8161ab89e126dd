"""Where images come from."""

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
"""The field that tells few labels, one-hot, and has zeros where a label is not known."""
Pixels = UInt8[np.ndarray, "n h w c"]
EncodedImage = tuple[str, bytes | Path]
"""What a picture is called where it comes from, and its file: what is in it, or where it lies."""


@dataclass(frozen=True)
class Chunk:
    """Some images in a row: equally large pixels, or picture files that are yet to be decoded."""

    images: Pixels | Sequence[EncodedImage]
    fields: Mapping[str, np.ndarray] = field(default_factory=dict)
    """What else is known of each image, by name: an array with a row an image.

    A number an image is a factor of it: whole numbers are categories, real ones are continuous, and complex ones of
    length 1 are places on a circle, for what comes round again. What is no factor has rows, or is text.
    """


@dataclass(frozen=True)
class Collection:
    """All the images of a source, numbered from 0, with what is known before any of them is read."""

    read: Callable[[Int[np.ndarray, "k"]], Iterable[Chunk]]
    """The images with these numbers, which rise, a few hundred at a time."""
    splits: Int[np.ndarray, "n"]
    """In which of SPLITS each image is; −1 in none, so that it is left out."""
    labels: Int[np.ndarray, "n"] | None
    names: Sequence[str] | None = None
    """What the images are called where they come from."""
    split_names: Sequence[str] = ()
    """What SPLITS are called where the images come from, if it is said there which image is in which."""
    unused_images: Mapping[str, int] = field(default_factory=dict)
    """How many images there are of each split that is left out, by its name."""
    skipped_files: Mapping[str, int] = field(default_factory=dict)
    """How many files are no pictures that are read, by what they are instead."""


class Source(ABC):
    """Where images come from; it is built from its own `Config` and the folder at which relative paths begin."""

    Config: ClassVar[type[Strict]]

    @abstractmethod
    def __init__(self, config: Any, root: Path) -> None: ...

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, found without decoding pictures; none where there are no labels."""

    @property
    @abstractmethod
    def channels(self) -> int:
        """1 for gray, 3 for color; found without decoding pictures. Raises DataError if the source has both."""

    @abstractmethod
    def collection(self, seed: int) -> Collection:
        """All images; the seed decides which is in which split, if the source leaves that open."""

    @property
    def factors(self) -> tuple[str, ...] | None:
        """The names of those fields of its chunks that are a number an image; None where only reading tells."""
        return ()

    @property
    def fields(self) -> tuple[str, ...] | None:
        """The names of all other fields of its chunks, likewise."""
        return ()

    @property
    def watched_path(self) -> str | None:
        """The path of a person's own files, which may change; None if what is read stays the same."""
        return None

    def state(self) -> str:
        """A text that changes with the files at `watched_path`. Raises DataError if they cannot be read."""
        return ""
