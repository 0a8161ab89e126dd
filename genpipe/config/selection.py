"""Which images of a source a data set takes."""

from collections.abc import Sequence

import numpy as np

from genpipe.errors import DataError, nearest
from genpipe.interfaces.sources import SPLITS, Collection


def untrained(counts: np.ndarray) -> tuple[int, ...]:
    """The classes without training images, of the numbers of images of each class in each of SPLITS."""
    return tuple(np.flatnonzero(counts[:, SPLITS.index("train")] == 0).tolist())


def taken(
    collection: Collection,
    classes: Sequence[str],
    exclude_classes: Sequence[str | int],
    max_images: int | None,
    seed: int,
) -> np.ndarray:
    """The numbers of the images that a data set takes of a source. Raises DataError if a class does not exist."""
    return chosen(np.where(left_out(collection, classes, exclude_classes), -1, collection.splits), max_images, seed)


def counted(collection: Collection, rows: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """How many of the images with these numbers are of each class, in each of SPLITS; one class stands for none."""
    labels = np.zeros(len(rows), np.int64) if collection.labels is None else collection.labels[rows]
    counts = np.zeros((max(len(classes), 1), len(SPLITS)), np.int64)
    np.add.at(counts, (labels, collection.splits[rows]), 1)
    return counts


def left_out(collection: Collection, classes: Sequence[str], names: Sequence[str | int]) -> np.ndarray:
    """Which images are training images of the classes with these names. Raises DataError if there is no such class."""
    for name in map(str, names):
        if name not in classes:
            raise DataError(f"exclude_classes: there is no class '{name}'.{nearest(name, classes)}")
    if collection.labels is None or not names:
        return np.zeros(len(collection.splits), bool)
    numbers = [classes.index(name) for name in map(str, names)]
    return (collection.splits == SPLITS.index("train")) & np.isin(collection.labels, numbers)


def chosen(splits: np.ndarray, max_images: int | None, seed: int) -> np.ndarray:
    """The numbers of the images to take, at most `limit` of each split, drawn by the seed; none whose part is −1."""
    if max_images is None:
        return np.flatnonzero(splits >= 0)
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(splits == part) for part in range(len(SPLITS))]
    return np.sort(
        np.concatenate([m if len(m) <= max_images else rng.choice(m, max_images, replace=False) for m in members])
    )
