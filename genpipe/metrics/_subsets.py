"""Intervals of scores from disjoint subsets of the images; a bootstrap repeats images and biases distances."""

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit


def disjoint(n: int, subsets: int, seed: int) -> list[np.ndarray]:
    """The numbers 0 to n − 1, shuffled by the seed and cut into subsets whose sizes differ by one at most.

    Raises ValueError if that leaves a subset empty.
    """
    if n < subsets:
        raise ValueError(f"{n} images cannot be cut into {subsets} subsets; give fewer subsets.")
    return np.array_split(np.random.default_rng(seed).permutation(n), subsets)


def interval(value: float, of_subsets: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Where a score lies with 95 % confidence: value ± t_{0.975, k−1} s / √k for the scores of k disjoint subsets.

    Raises ValueError if there are fewer than two.
    """
    k = len(of_subsets)
    if k < 2:
        raise ValueError(f"{k} subsets have no deviation; at least two are needed.")
    half = float(stdtrit(k - 1, 0.975) * np.std(of_subsets, ddof=1) / np.sqrt(k))
    return value - half, value + half
