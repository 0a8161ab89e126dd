"""Sources of images."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Int, UInt8

from genpipe.interfaces.spec import FieldSpec, ImageSize, sides
from genpipe.schema import Strict

SPLITS = ("train", "test")
"""The parts of every data set, in the order of their numbers."""
KNOWN_LABEL = "known_label"
"""The field with the few known labels, attributes of which a known label has one and an unknown label none."""
Pixels = UInt8[np.ndarray, "n h w c"]
Content = bytes | Path
"""A picture file: what is in it, or its path."""


@dataclass(frozen=True)
class Half:
    """One half of a picture that holds two of equal width, side by side."""

    content: Content
    side: Literal["left", "right"]


@dataclass(frozen=True)
class MapFile:
    """The picture of a label map or a mask, whose pixels stand for other numbers than they are."""

    content: Content
    void: int | None = None
    """The number in a label map that stands for no label; it becomes the last label."""
    threshold: int | None = None
    """The lowest number in a mask that becomes 1; None: 1 or 255, and nothing but 0 below."""


EncodedImage = tuple[str, Content]
"""The name of a picture in its source, and its file."""
EncodedPart = tuple[str, Content | Half]
"""The same, or one half of it."""
EncodedField = tuple[str, Content | Half | MapFile]
"""The same for a field, which may be a map."""


@dataclass(frozen=True)
class Chunk:
    """Some consecutive images: pixels of one size, or picture files that are not yet decoded."""

    images: Pixels | Sequence[EncodedPart]
    fields: Mapping[str, np.ndarray | Sequence[EncodedField]] = field(default_factory=dict)
    """Exactly the fields that the source declares, by name: an array with a row per image.

    Beside picture files, fields of kind image, label_map and mask may be picture files as well, one per image: see
    `genpipe.dataset.maps` for what their pixels mean.

    image: uint8 [n h w c]; frames: uint8 [n t h w c]; label_map: whole numbers [n h w]; mask: 0 and 1 [n h w], each as
    high and wide as its image. class: whole numbers [n]; tokens: whole numbers [n length], 0 after the last;
    attributes: 0 and 1 [n k]; number: any shape of whole, real or complex numbers; complex ones of length 1 are places
    on a circle, for what comes round again.
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
    field_knobs: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Knobs with which the source has a field that it lacks by default, by the field's name."""

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
    def fields(self) -> Mapping[str, FieldSpec]:
        """The fields of every image, by name, found without reading images; height and width may be left at 0.

        One class or one number per image is a factor of it.
        """
        return {}

    @property
    def watched_paths(self) -> tuple[str, ...]:
        """The paths of the user's files, which may change; none if the data are fixed."""
        return ()

    def state(self) -> str:
        """Returns a text that changes with the files at `watched_paths`. Raises DataError if they cannot be read."""
        return ""


def fields_of(source: Source, image_size: ImageSize, num_labels: int | None) -> Mapping[str, FieldSpec]:
    """Returns the fields of a data set: those of its source at its size, and which labels are known, if few are."""
    known = {KNOWN_LABEL: FieldSpec("attributes", (len(source.classes),))} if num_labels else {}
    return {**{name: spec.resized(*sides(image_size)) for name, spec in source.fields.items()}, **known}
