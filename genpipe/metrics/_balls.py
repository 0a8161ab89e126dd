"""Balls around points that reach to the k-th nearest other point, and what lies in them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from genpipe.interfaces import Evidence, Statistic
from genpipe.metrics._distances import pairs_within
from genpipe.metrics._nearest import nearest_others

_KEPT = 10
"""To so many nearest others of each point the distances are kept."""


@dataclass(frozen=True)
class Others:
    """Squared distances of each point to its nearest others, nearest first."""

    squared: Float64[np.ndarray, "n k"]


@dataclass(frozen=True)
class Balls:
    """Points [n d], and the squared radii of balls around each, one for each of ks."""

    points: Float[np.ndarray, "n d"]
    ks: tuple[int, ...]
    squared_radii: Float64[np.ndarray, "n k"]


@dataclass(frozen=True)
class Held:
    """How many points of another set each ball holds [n k], and in how many balls each of those points lies [m k]."""

    by_ball: Int[np.ndarray, "n k"]
    by_point: Int[np.ndarray, "m k"]


def balls(points: Float[np.ndarray, "n d"], ks: tuple[int, ...]) -> Balls:
    """Balls around each point that reach to its k-th nearest other point, one for each k.

    Raises ValueError if there are not more points than the largest k.
    """
    return Balls(points, ks, nearest_others(points, max(ks))[:, [k - 1 for k in ks]])


NEAREST_OTHERS = Statistic(
    "nearest_others", Others, lambda images: Others(nearest_others(images.features, _most(images)))
)


def _most(images: Evidence) -> int:
    return min(_KEPT, len(images.features) - 1)


def of_evidence(images: Evidence, ks: tuple[int, ...]) -> Balls:
    """The balls around all images of a set, from the distances that are kept of it where those go far enough."""
    if max(ks) > _most(images):
        return balls(images.features, ks)
    return Balls(images.features, ks, NEAREST_OTHERS.of(images).squared[:, [k - 1 for k in ks]])


def held(a: Balls, b: Balls) -> tuple[Held, Held]:
    """What the balls of a hold of the points of b, and those of b of the points of a; to touch is to lie in."""
    n, m = len(a.points), len(b.points)
    of_a, of_b = _nothing(a, m), _nothing(b, n)
    for i, j, squared in pairs_within(a.points, b.points, a.squared_radii, b.squared_radii):
        _add(of_a, i, j, squared[:, None] <= a.squared_radii[i])
        _add(of_b, j, i, squared[:, None] <= b.squared_radii[j])
    return of_a, of_b


def _nothing(a: Balls, points: int) -> Held:
    n, k = a.squared_radii.shape
    return Held(np.zeros((n, k), np.int64), np.zeros((points, k), np.int64))


def _add(held: Held, i: Int[np.ndarray, "p"], j: Int[np.ndarray, "p"], lies: Bool[np.ndarray, "p k"]) -> None:
    """Counts the pairs of ball i and point j of which the point lies in the ball."""
    for k, inside in enumerate(lies.T):
        held.by_ball[:, k] += np.bincount(i[inside], minlength=len(held.by_ball))
        held.by_point[:, k] += np.bincount(j[inside], minlength=len(held.by_point))
