"""Assignment of images to splits, if the source leaves it open."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from genpipe.errors import DataError
from genpipe.interfaces.sources import Chunk, Collection

CHUNK_IMAGES = 256


def divided(labels: np.ndarray, test_images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns shuffled indices of training and test images, with equal shares of each class, by the seed alone.

    Raises DataError if nothing would be left to train on.
    """
    if not 0 < test_images < len(labels):
        raise DataError(
            f"test_images is {test_images}, but there are {len(labels)} images: give 1 to {len(labels) - 1}."
        )
    rng = np.random.RandomState(seed)
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    train: list[int] = []
    test: list[int] = []
    for rows, tested in zip(members, _shares(np.array(list(map(len, members))), test_images), strict=True):
        shuffled = rows[rng.permutation(len(rows))]
        kept = len(rows) - tested
        train.extend(shuffled[:kept])
        test.extend(shuffled[kept:])
    return rng.permutation(train), rng.permutation(test)


def splits_of(labels: np.ndarray | None, count: int, test_images: int | None, seed: int) -> np.ndarray:
    """Returns the split of each image. Default: a tenth are test images, but never the only image."""
    if count == 1 and test_images is None:
        return np.zeros(1, np.int64)
    known = np.zeros(count, np.int64) if labels is None else labels
    wanted = max(1, count // 10) if test_images is None else test_images
    parts = np.zeros(count, np.int64)
    parts[divided(known, wanted, seed)[1]] = 1
    return parts


def whole(images: np.ndarray, labels: np.ndarray, test_images: int, seed: int) -> Collection:
    """Returns a collection of images [n h w c] in memory, split and shuffled."""
    train, test = divided(labels, test_images, seed)
    order = np.concatenate([train, test])
    return Collection(from_array(images[order]), (np.arange(len(order)) >= len(train)).astype(np.int64), labels[order])


def known_labels(labels: np.ndarray, class_count: int, count: int, seed: int) -> np.ndarray:
    """Returns a number of known labels as int8 one-hot rows [n k], and zeros for all other images.

    Which images these are is drawn by the seed, of all classes alike as far as they reach. Raises DataError if there
    are not so many, or if none is left whose label is not known.
    """
    if not 0 < count < len(labels):
        raise DataError(
            f"labeled is {count}, but there are {len(labels)} training images: give 1 to {len(labels) - 1}."
        )
    shuffled = np.random.default_rng((seed, count)).permutation(len(labels))
    rank = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        mine = shuffled[labels[shuffled] == label]
        rank[mine] = np.arange(len(mine))
    some = shuffled[np.argsort(rank[shuffled], kind="stable")][:count]
    rows = np.zeros((len(labels), class_count), np.int8)
    rows[some, labels[some]] = 1
    return rows


def from_array(images: np.ndarray) -> Callable[[np.ndarray], Iterator[Chunk]]:
    """Returns a function that reads the numbered images of an array [n h w c]."""
    return lambda rows: (Chunk(images[some]) for some in pieces(rows))


def pieces(rows: np.ndarray) -> Iterable[np.ndarray]:
    """Yields the indices of one chunk after the other."""
    return (rows[first : first + CHUNK_IMAGES] for first in range(0, len(rows), CHUNK_IMAGES))


def _shares(counts: np.ndarray, wanted: int) -> np.ndarray:
    """How many of each class make up the number that is wanted: in proportion, largest remainders first."""
    exact = counts * wanted / counts.sum()
    shares = np.floor(exact).astype(int)
    shares[np.argsort(shares - exact, kind="stable")[: wanted - shares.sum()]] += 1
    return shares
