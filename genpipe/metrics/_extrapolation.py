"""Scores of infinitely many images (Chong & Forsyth 2020, arXiv:1911.07023)."""

from collections.abc import Callable
from math import ceil
from typing import Annotated

import numpy as np
from jaxtyping import Int
from pydantic import Field

from genpipe.schema import Strict

_PER_DIMENSION = 2


class Sizes(Strict):
    """At how many numbers of images a score is computed before it is extrapolated."""

    points: Annotated[int, Field(ge=2)] = 15
    smallest_share: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    """Of all images; raised where it would leave fewer than two images a dimension of what the score looks at."""


def fewest(dimensions: int) -> int:
    """The fewest images that a score in so many dimensions can be extrapolated from.

    It is linear in 1/n only where images clearly outnumber dimensions: with two a dimension the next term of the bias
    is some 6 % of the first. The sizes have to span a factor of two, or the line has nothing to hold on to.
    """
    return 2 * _PER_DIMENSION * dimensions


def sizes(n: int, dimensions: int, chosen: Sizes) -> list[int]:
    """Numbers of images, evenly spaced, up to all n."""
    smallest = max(ceil(chosen.smallest_share * n), _PER_DIMENSION * dimensions)
    return [int(size) for size in np.linspace(smallest, n, chosen.points)]


def at_infinity(score: Callable[[Int[np.ndarray, "m"]], float], of_sizes: list[int], seed: int) -> float:
    """Where the least-squares line through a score over 1/n meets 0, for a score of the images with given numbers.

    The paper draws one subset of each size. Here the score of a size is the mean over as many disjoint subsets as
    there are, which expects the same and spreads less: in simulation no more than the score of all images does.
    """
    rng, n = np.random.default_rng(seed), of_sizes[-1]
    values = [np.mean([score(part) for part in _cut(rng.permutation(n), size)]) for size in of_sizes]
    return float(np.polyfit(1 / np.array(of_sizes), values, 1)[1])


def _cut(order: Int[np.ndarray, "n"], size: int) -> Int[np.ndarray, "k m"]:
    return order[: len(order) // size * size].reshape(-1, size)
