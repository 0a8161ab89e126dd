"""Label maps and masks in picture files: what their pixels mean, and which labels there are. Without torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

from genpipe.dataset.decoding import Broken, decoded, numbers
from genpipe.errors import DataError
from genpipe.interfaces.sources import Content, EncodedImage, Half, MapFile
from genpipe.interfaces.spec import FieldSpec

VOID = 255
"""What stands for no label in most published label maps."""
MAX_LABELS = 256
_PHOTO_LEVELS = 64
"""A picture with more numbers, of which most differ from their right neighbor, is taken for a photograph."""
_BATCH = 32


def field_row(content: Content | Half | MapFile, spec: FieldSpec) -> np.ndarray:
    """Returns the picture of a field as a chunk of one row has it: see `Chunk.fields`.

    Raises Broken if it is not what it should be.
    """
    if spec.kind == "image" and not isinstance(content, MapFile):
        return decoded(content, spec.shape[0])[None]
    if spec.kind not in ("label_map", "mask") or isinstance(content, Half):
        raise DataError(f"a field of kind {spec.kind} came as {type(content).__name__}; give it as an array.")
    file = content if isinstance(content, MapFile) else MapFile(content)
    return (_mask(file) if spec.kind == "mask" else _label_map(file, spec.size))[None]


def _label_map(file: MapFile, size: int) -> Int64[np.ndarray, "h w"]:
    values = numbers(file.content)
    void, labels = file.void, size - (file.void is not None)
    wrong = values[(values >= labels) & (values != void)] if void is not None else values[values >= labels]
    if wrong.size:
        hint = "" if void is not None else f". If it stands for no label, write `void: {wrong[0]}`"
        raise Broken(f"it holds the number {wrong[0]}, and the labels are 0 to {labels - 1}{hint}")
    return values if void is None else np.where(values == void, size - 1, values)


def _mask(file: MapFile) -> UInt8[np.ndarray, "h w"]:
    values = numbers(file.content)
    known = (0, 255) if values.max() > 1 else (0, 1)
    if file.threshold is None and (between := np.setdiff1d(values, known)).size:
        raise Broken(
            f"its mask has gray levels, such as {between[0]}; 0 and 255, or 0 and 1, are needed. Say from which level "
            "on it is 1: `threshold: 128`"
        )
    found = (values >= (1 if file.threshold is None else file.threshold)).astype(np.uint8)
    if found.min() == found.max():
        raise Broken(f"its mask covers {'all' if found.min() else 'nothing'}")
    return found


@dataclass(frozen=True)
class LabelCounts:
    """The numbers in the label maps of a folder, which rise, and how many pixels have each."""

    numbers: list[int]
    pixels: list[int]


def label_counts(files: Sequence[EncodedImage], workers: int) -> LabelCounts:
    """Returns the numbers in label maps; those that cannot be read are left out.

    Raises DataError if they are no label maps, or none can be read.
    """
    from genpipe.dataset.working import in_order

    totals, unread = np.zeros(MAX_LABELS, np.int64), ""
    some = (files[first : first + _BATCH] for first in range(0, len(files), _BATCH))
    for counts, broken in in_order(_counted, some, workers):
        totals += counts
        unread = unread or broken
    if not totals.any():
        raise DataError(f"none of the label maps can be read: {unread}.")
    found = np.flatnonzero(totals)
    return LabelCounts(found.tolist(), totals[found].tolist())


def _counted(files: Sequence[EncodedImage]) -> tuple[np.ndarray, str]:
    """How many pixels of some maps have each number, and what is wrong with the first that cannot be read."""
    totals, unread = np.zeros(MAX_LABELS, np.int64), ""
    for name, content in files:
        try:
            values = numbers(content)
        except Broken as error:
            unread = unread or f"{name}: {error}"
            continue
        _verify_labels(name, values)
        totals += np.bincount(values.ravel(), minlength=MAX_LABELS)
    return totals, unread


def _verify_labels(name: str, values: np.ndarray) -> None:
    """Raises DataError if the numbers are those of a photograph, or too large for labels."""
    found = np.unique(values)
    if found[-1] >= MAX_LABELS:
        raise DataError(
            f"{name} holds {len(found):,} different numbers up to {found[-1]:,}; labels run from 0 to "
            f"{MAX_LABELS - 1} at most. Number the labels from 0; a picture is a field of `kind: image`."
        )
    if len(found) > _PHOTO_LEVELS and (values[:, 1:] != values[:, :-1]).mean() > 0.5:
        raise DataError(
            f"{name} holds {len(found)} different numbers, and most pixels differ from the next: it is a photograph, "
            "no label map. A picture is a field of `kind: image`."
        )


def labels_of(counts: LabelCounts, void: int, shown_as: str) -> tuple[tuple[str, ...], bool]:
    """Returns the names of the labels from 0 on, with gaps, and whether some pixels have none; these come last.

    Raises DataError if the maps are masks, or there is one label at most.
    """
    labels, has_void = [n for n in counts.numbers if n != void], void in counts.numbers
    if counts.numbers == [0, 255]:
        raise DataError(f"{shown_as}: the label maps hold 0 and 255 alone, so they are masks: write `kind: mask`.")
    if len(labels) < 2:
        raise DataError(f"{shown_as}: the label maps hold {counts.numbers} alone; two labels at least are needed.")
    return tuple(map(str, range(labels[-1] + 1))), has_void
