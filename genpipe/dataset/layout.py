"""Classes and splits from the names of picture files."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from posixpath import normpath
from typing import Any

import numpy as np

from genpipe.errors import DataError

ANNOTATIONS = "dataset.json"
"""Labels as StyleGAN2-ADA and EDM lay them out: {"labels": [["00000/img00000000.png", 3], ...]}, or null."""
_PICTURE = re.compile(r"\.(bmp|gif|jfif|jpe|jpe?g|p[bgnp]m|a?png|tiff?|webp)\Z", re.IGNORECASE)
_HIDDEN = re.compile(r"(^|/)(\.(?!/)|__MACOSX/)")
_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("unlabeled", "unlabeled"), "unlabeled"),
}


@dataclass(frozen=True)
class Layout:
    """The classes and splits of picture files, by their names."""

    classes: tuple[str, ...]
    labels: np.ndarray | None
    splits: np.ndarray | None
    """The official split of each, −1 where it is none that is used; None if there are no official ones."""
    split_names: tuple[str, ...] = ()
    """The folders that are the training and the test split."""
    unused_images: Mapping[str, int] = field(default_factory=dict)
    """The number of pictures in each folder of an unused split."""


def is_picture(name: str) -> bool:
    """Returns whether a file name is that of a picture, and not of a hidden system file."""
    return _PICTURE.search(name) is not None and _HIDDEN.search(name) is None


def ending(name: str) -> str:
    """Returns the ending of a skipped file's name; empty for pictures, labels and hidden system files."""
    if is_picture(name) or is_note(name) or _HIDDEN.search(name):
        return ""
    return PurePosixPath(name).suffix.lower() or "no ending"


def is_note(name: str) -> bool:
    """Returns whether a file's name is that of a label file, in any folder."""
    return name.rpartition("/")[2] == ANNOTATIONS and _HIDDEN.search(name) is None


def layout(
    names: Sequence[str],
    annotations: Mapping[str, int] | None,
    labeled: bool,
    shown_as: str,
    *,
    splits: bool = True,
) -> Layout:
    """Returns the classes (sorted folders) and, unless `splits` turns them off, the official splits.

    A folder in which everything lies says nothing. Splits are folders "train" and "test" at the top; without "test",
    "val" holds the test images; what else there is of "val" and "unlabeled" is left out. Raises DataError if only some
    of the pictures have a class, or if only some of the folders are splits.
    """
    folders = _below_common([tuple(name.split("/")[:-1]) for name in names])
    official = _official([folder[0] if folder else "" for folder in folders], shown_as) if splits else None
    found = official or Layout((), None, None)
    if official:
        folders = [folder[1:] for folder in folders]
    if not labeled:
        return found
    used = np.ones(len(names), bool) if found.splits is None else found.splits >= 0
    if annotations is not None:
        return replace(found, **_annotated(names, annotations, used, shown_as))
    return replace(found, **_by_folder(names, folders, used, shown_as, least=1 if official else 2))


def _by_folder(
    names: Sequence[str], folders: Sequence[tuple[str, ...]], used: np.ndarray, shown_as: str, least: int
) -> dict[str, Any]:
    """The classes and labels that the folders are, if there are at least so many; what is unused has the label −1."""
    mine = [folder for folder, use in zip(folders, used, strict=True) if use]
    classes = sorted({folder[0] for folder in mine if folder})
    if len(classes) < least:
        return {}
    loose = next((n for n, folder, use in zip(names, folders, used, strict=True) if use and not folder), None)
    if loose:
        raise DataError(
            f"{shown_as}: {loose} lies beside the class folders {_some(classes)}, so its class is unknown. "
            "Move it, or set `labels: false` to do without classes."
        )
    numbers = {name: number for number, name in enumerate(classes)}
    labels = [numbers[folder[0]] if use else -1 for folder, use in zip(folders, used, strict=True)]
    return {"classes": tuple(classes), "labels": np.array(labels, np.int64)}


def _below_common(folders: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The folders below the one in which everything lies."""
    while folders and all(folders) and len({folder[0] for folder in folders}) == 1:
        folders = [folder[1:] for folder in folders]
    return folders


def split_numbers(names: Iterable[str]) -> dict[str, int]:
    """Returns the splits among the names: 0 for training, 1 for test images, −1 for unused ones."""
    meant = {name: _SPLITS[name.lower()] for name in names if name.lower() in _SPLITS}
    numbers = {"train": 0, "test" if "test" in meant.values() else "val": 1}
    return {name: numbers.get(split, -1) for name, split in meant.items()}


def _official(tops: Sequence[str], shown_as: str) -> Layout | None:
    """The official splits, if the folders at the top are named so. Raises DataError if only some of them are."""
    numbers = split_numbers(sorted(set(tops)))
    if not numbers:
        return None
    others = sorted(set(tops) - set(numbers))
    if others or not {0, 1} <= set(numbers.values()):
        beside = f"{others[0] or 'a picture'} lies beside them" if others else "that is no training and test split"
        raise DataError(
            f"{shown_as}: {_some(list(numbers))} at the top are the names of splits, but {beside}. Splits are `train` "
            "and `test`, or `train` and `val`, with `val` and `unlabeled` left out, and nothing else beside them: move "
            "or rename folders so, or set `splits: false` to take every folder for a class."
        )
    parts = np.array([numbers[top] for top in tops], np.int64)
    unused = Counter(top for top in tops if numbers[top] < 0)
    used = (", ".join(name for name, number in numbers.items() if number == part) for part in (0, 1))
    return Layout((), None, parts, tuple(used), dict(unused))


def _annotated(names: Sequence[str], annotations: Mapping[str, int], used: np.ndarray, shown_as: str) -> dict[str, Any]:
    missing = next((name for name, use in zip(names, used, strict=True) if use and name not in annotations), None)
    if missing:
        raise DataError(f"{shown_as}: {ANNOTATIONS} gives no label for {missing}. Add it, or set `labels: false`.")
    labels = np.array([annotations[name] if use else -1 for name, use in zip(names, used, strict=True)], np.int64)
    return {"classes": tuple(map(str, range(labels.max() + 1))), "labels": labels}


def note_among(files: Iterable[str], links: Iterable[str], shown_as: str) -> str | None:
    """Returns the file of labels, if there is one. Raises DataError if there are several, or if it is a link."""
    found, linked = sorted(filter(is_note, files)), sorted(filter(is_note, links))
    if linked:
        why = f"{linked[0]} is a link, and links are not followed. Put the file itself there"
    elif len(found) > 1:
        why = f"it holds {_some(found)}, and one {ANNOTATIONS} is understood. Remove the others"
    else:
        return found[0] if found else None
    raise DataError(f"{shown_as}: {why}, or set `labels: false` to do without.")


def annotated(text: bytes, folder: str, shown_as: str) -> dict[str, int] | None:
    """Returns the label of each file by a dataset.json in `folder`; None if it has none.

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
