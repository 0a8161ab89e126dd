"""How sure a score is: the same score of disjoint subsets of the images, in an order that nobody chose."""

from collections.abc import Mapping, Sequence
from math import inf

import numpy as np
from jaxtyping import Int, UInt8

SUBSETS = 10
_CONFIDENCE = 0.95


def by_content(images: UInt8[np.ndarray, "n c h w"]) -> Int[np.ndarray, "n"]:
    """The order of images by their pixels; subsets drawn from it do not depend on the order in which images come."""
    rows = np.ascontiguousarray(images).reshape(len(images), -1)
    return np.argsort(rows.view(f"V{rows.shape[1]}")[:, 0])


def drawn(images: UInt8[np.ndarray, "n c h w"], count: int, seed: int) -> UInt8[np.ndarray, "m c h w"]:
    """At most `count` of the images, chosen by the seed: the same ones in whatever order they are given."""
    return images[np.random.default_rng(seed).permutation(by_content(images))[:count]]


def disjoint(n: int, subsets: int, seed: int, least: int = 2) -> list[Int[np.ndarray, "m"]]:
    """Which of n images are in each subset: equal sizes, drawn by the seed, up to `subsets` − 1 images left over.

    None at all if a subset would have fewer images than `least`.
    """
    size = n // subsets
    if size < least:
        return []
    return list(np.random.default_rng(seed).permutation(n)[: size * subsets].reshape(subsets, size))


def disjoint_pairs(
    n: int, m: int, subsets: int, seed: int, least: int = 2
) -> list[tuple[Int[np.ndarray, "a"], Int[np.ndarray, "b"]]]:
    """Which of n images and which of m real ones are in each pair of subsets, for scores that change with both numbers.

    None at all if a subset of either would have fewer images than `least`.
    """
    return list(zip(disjoint(n, subsets, seed, least), disjoint(m, subsets, seed, least), strict=False))


def interval(
    value: float, of_subsets: Sequence[float] | np.ndarray, least: float = -inf, most: float = inf
) -> tuple[float, float] | None:
    """Where the score of the whole set lies with 95 % confidence; None for fewer than two subsets.

    value ± t s/√k, with s the deviation of the score between k disjoint subsets and t Student's quantile with k − 1
    degrees of freedom, for the variance of a score falls as 1/n. A bias that depends on n is not covered. Cut off where
    the scale of the score ends.
    """
    k = len(of_subsets)
    if k < 2:
        return None
    from scipy.special import stdtrit  # slow to import, and `genpipe list` can do without

    half = float(stdtrit(k - 1, (1 + _CONFIDENCE) / 2) * np.std(of_subsets, ddof=1) / np.sqrt(k))
    return max(least, value - half), min(most, value + half)


def origin(of_subsets: Sequence[float]) -> Mapping[str, object]:
    """What the interval came from, to be noted beside the score."""
    k = len(of_subsets)
    return {"interval_from": f"{k} disjoint subsets, Student's t"} if k > 1 else {}
