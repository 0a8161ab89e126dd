"""Inspection of a data set before training: its content and its defects."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from genpipe.config.selection import counted, taken
from genpipe.dataset.preparing import finished
from genpipe.dataset.working import Done, Target, cores
from genpipe.interfaces.sources import Collection, Source
from genpipe.interfaces.spec import FieldSpec
from genpipe.nn.image_grid import grid

COLUMNS = 8
BLANK = 128
"""The gray of the places without an image."""


@dataclass
class Inspection:
    """The result of an inspection."""

    classes: Mapping[str, Sequence[int]]
    """The number of images of each class in each of SPLITS; without classes, one class "-"."""
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    """The number of pictures of each width and height, before they are resized."""
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    """Images that equal an earlier one after resizing, each with that one."""
    leaked: int = 0
    """The number of duplicates in another split than the earlier image."""
    broken: list[tuple[str, str]] = field(default_factory=list)
    """Pictures that cannot be read, each with the reason."""
    split_names: Sequence[str] = ()
    """The names of SPLITS in the source, if it defines the splits."""
    unused_images: Mapping[str, int] = field(default_factory=dict)
    """The number of images in each unused split."""
    skipped_files: Mapping[str, int] = field(default_factory=dict)
    """The number of skipped files that are not readable pictures, by their kind."""
    fields: Mapping[str, FieldSpec] = field(default_factory=dict)
    """What each image has beside it."""
    label_pixels: dict[str, np.ndarray] = field(default_factory=dict)
    """The number of pixels with each label, of each label map [labels]."""
    beside: Sequence[str] = ()
    """The fields that the first row of the sheet shows beside the first image."""
    sheet: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 1), np.uint8))
    """Some images in rows [height width channels]."""

    @property
    def untrained(self) -> list[str]:
        """The classes without training images."""
        return [name for name, (training, *_) in self.classes.items() if not training]


def inspect_source(
    source: Source,
    target: Target,
    max_images: int | None = None,
    exclude_classes: Sequence[str | int] = (),
    *,
    images: int = 64,
    workers: int | None = None,
    shown: Callable[[int, int], None] = lambda images, of: None,
) -> Inspection:
    """Reads all images of a source as they would be prepared. Raises DataError if it cannot be read.

    If the fields are asked for and some have the shape of an image, the sheet begins with a row of the first image and
    these fields of it.
    """
    collection = source.collection(target.seed)
    rows = taken(collection, source.classes, exclude_classes, max_images, target.seed)
    counts = counted(collection, rows, source.classes).tolist()
    found = Inspection(
        dict(zip(source.classes or ("-",), counts, strict=True)),
        split_names=collection.split_names,
        unused_images=collection.unused_images,
        skipped_files=collection.skipped_files,
        fields=target.fields or {},
    )
    wanted = set(rows[np.linspace(0, len(rows) - 1, min(images, len(rows))).astype(int)].tolist())
    sheet, first = list[np.ndarray](), list[np.ndarray]()
    seen: dict[bytes, int] = {}
    done = 0
    for piece in finished(collection, rows, target, cores() if workers is None else workers):
        _add(found, piece, collection, seen)
        if not first and len(piece.images):
            first = _with_fields(found, piece)
        sheet += [image for image, row in zip(piece.images, piece.rows.tolist(), strict=True) if row in wanted]
        done += len(piece.images) + len(piece.broken)
        shown(done, len(rows))
    if sheet:
        found.sheet = grid(np.stack(_of_one_kind([*first, *sheet])), COLUMNS)
    return found


def _with_fields(found: Inspection, piece: Done) -> list[np.ndarray]:
    """The first image and its fields, as whole rows of a sheet; nothing if no field has the shape of an image."""
    found.beside = [name for name, spec in found.fields.items() if spec.image_shaped]
    tiles = [piece.images[0], *(_as_image(piece.fields[name][0], found.fields[name]) for name in found.beside)]
    blank = np.full_like(piece.images[0], BLANK)
    return [*tiles, *[blank] * (-len(tiles) % COLUMNS)] if found.beside else []


def _as_image(values: np.ndarray, spec: FieldSpec) -> np.ndarray:
    """A field of an image as one that can be looked at [c h w]; the labels of a map as gray levels."""
    match spec.kind:
        case "label_map":
            return (values[None].astype(np.int64) * 255 // (spec.size - 1)).astype(np.uint8)
        case "mask":
            return values * np.uint8(255)
        case "frames":
            return values[0]
        case _:
            return values


def _of_one_kind(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Images [c h w] all in gray, or all in color if one is."""
    channels = max(len(image) for image in images)
    return [np.repeat(image, channels, 0) if len(image) == 1 else image for image in images]


def _add(found: Inspection, piece: Done, collection: Collection, seen: dict[bytes, int]) -> None:
    found.sizes.update((width, height) for height, width in piece.sizes.tolist())
    found.broken += piece.broken
    for name, values in piece.fields.items():
        if (spec := found.fields[name]).kind == "label_map":
            counts = np.bincount(values.ravel(), minlength=spec.size)
            found.label_pixels[name] = found.label_pixels.get(name, 0) + counts
    for image, row in zip(piece.images, piece.rows.tolist(), strict=True):
        first = seen.setdefault(blake2b(image.tobytes(), digest_size=16).digest(), row)
        if first != row:
            found.duplicates.append((_name(collection, row), _name(collection, first)))
            found.leaked += int(collection.splits[first] != collection.splits[row])


def _name(collection: Collection, row: int) -> str:
    return collection.names[row] if collection.names is not None else f"image {row}"
