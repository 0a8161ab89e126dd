"""What the names of picture files say: which class, which split."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from posixpath import normpath
from typing import Any

import numpy as np

from genpipe.errors import DataError

ANNOTATIONS = "dataset.json"
"""Labels as StyleGAN2-ADA and EDM lay them out: {"labels": [["00000/img00000000.png", 3], ...]}, or null."""
_PICTURE = re.compile(r"\.(bmp|gif|jpe?g|p[bgnp]m|png|tiff?|webp)\Z", re.IGNORECASE)
_HIDDEN = re.compile(r"(^|/)(\.(?!/)|__MACOSX/)")
_PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
}


@dataclass(frozen=True)
class Layout:
    """What is known of picture files by their names."""

    classes: tuple[str, ...]
    labels: np.ndarray | None
    parts: np.ndarray | None
    """The official split of each; None if there is none."""


def is_picture(name: str) -> bool:
    """Whether a file's name says that it is a picture, and not a system's hidden litter."""
    return _PICTURE.search(name) is not None and _HIDDEN.search(name) is None


def is_note(name: str) -> bool:
    """Whether a file's name says that it may hold the labels of all pictures, wherever it lies."""
    return name.rpartition("/")[2] == ANNOTATIONS and _HIDDEN.search(name) is None


def layout(names: Sequence[str], annotations: Mapping[str, int] | None, labelled: bool, shown_as: str) -> Layout:
    """The classes (folders, sorted) and the official splits (folders "train" and "test" at the top).

    A folder in which everything lies says nothing. Without a "test" folder, "val" holds the test images; with one, its
    images count as training images. Raises DataError if only some of the pictures have a class.
    """
    folders = _below_common([tuple(name.split("/")[:-1]) for name in names])
    parts = _parts(folders)
    if parts is not None:
        folders = [folder[1:] for folder in folders]
    if not labelled:
        return Layout((), None, parts)
    if annotations is not None:
        return _annotated(names, annotations, parts, shown_as)
    found = sorted({folder[0] for folder in folders if folder})
    if (len(found) < 2 and parts is None) or not found:
        return Layout((), None, parts)
    loose = next((name for name, folder in zip(names, folders, strict=True) if not folder), None)
    if loose:
        raise DataError(
            f"{shown_as}: {loose} lies beside the class folders {_some(found)}, so its class is unknown. "
            "Move it, or set `labels: false` to do without classes."
        )
    numbers = {name: number for number, name in enumerate(found)}
    return Layout(tuple(found), np.array([numbers[folder[0]] for folder in folders], np.int64), parts)


def _below_common(folders: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The folders below the one in which everything lies."""
    while folders and all(folders) and len({folder[0] for folder in folders}) == 1:
        folders = [folder[1:] for folder in folders]
    return folders


def _parts(folders: list[tuple[str, ...]]) -> np.ndarray | None:
    tops = {folder[0] if folder else "" for folder in folders}
    meant = {_PARTS.get(top.lower(), "") for top in tops}
    if "train" not in meant or "" in meant or len(meant) < 2:
        return None
    held_out = "test" if "test" in meant else "val"
    return np.array([int(_PARTS[folder[0].lower()] == held_out) for folder in folders], np.int64)


def _annotated(names: Sequence[str], annotations: Mapping[str, int], parts: np.ndarray | None, shown_as: str) -> Layout:
    missing = next((name for name in names if name not in annotations), None)
    if missing:
        raise DataError(f"{shown_as}: {ANNOTATIONS} gives no label for {missing}. Add it, or set `labels: false`.")
    labels = np.array([annotations[name] for name in names], np.int64)
    return Layout(tuple(map(str, range(labels.max() + 1))), labels, parts)


def note_among(files: Iterable[str], links: Iterable[str], shown_as: str) -> str | None:
    """The file of labels, if there is one. Raises DataError if there are several, or if it is only a link."""
    found, linked = sorted(filter(is_note, files)), sorted(filter(is_note, links))
    if linked:
        why = f"{linked[0]} is a link, and links are not followed. Put the file itself there"
    elif len(found) > 1:
        why = f"it holds {_some(found)}, and one {ANNOTATIONS} is understood. Remove the others"
    else:
        return found[0] if found else None
    raise DataError(f"{shown_as}: {why}, or set `labels: false` to do without.")


def annotated(text: bytes, folder: str, shown_as: str) -> dict[str, int] | None:
    """The label of each file in the words of a dataset.json that lies in `folder`; None if it has none.

    Raises DataError if it is no such file.
    """
    import json

    try:
        entries = json.loads(text)["labels"]
        return None if entries is None else _labels(entries, PurePosixPath(folder))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f'{shown_as}: {ANNOTATIONS} cannot be read ({error}). {{"labels": [["name.png", 3], …]}} is needed; '
            "set `labels: false` to do without."
        ) from None


def _labels(entries: Any, folder: PurePosixPath) -> dict[str, int]:
    """The label of each file, of pairs of its path below a folder and its label. Raises Value- or TypeError."""
    labels: dict[str, int] = {}
    for name, label in entries:
        if type(label) is not int or not 0 <= label < 1_000_000:
            raise ValueError("a label is not a whole number from 0 on")
        path = normpath(folder / name)
        if path in labels:
            raise ValueError(f"{path} has two labels")
        labels[path] = label
    return labels


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
