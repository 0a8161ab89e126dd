"""Squared Euclidean distances of all pairs, as fast as float32 and as right as float64.

‖x‖² + ‖y‖² − 2 x·y in float32, block by block, is fast, but near points drown in the rounding of their lengths. So it
only finds the pairs in question, up to a bound of its error, and differences in float64 decide: the outcome is that of
brute force in float64, duplicates included.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int

_BLOCK = 1000
_DIFFERENCES = 2**17
"""Numbers in the differences that are held at a time: they stay in the cache of a core."""

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of each pair the number of a point of x, that of a point of y, and their squared distance."""


def exact(
    x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "m d"], i: Int[np.ndarray, "p"], j: Int[np.ndarray, "p"]
) -> Float64[np.ndarray, "p"]:
    """Squared distances of pairs of points, from differences in float64."""
    found, step = np.empty(len(i)), max(1, _DIFFERENCES // x.shape[1])
    for part in (slice(start, start + step) for start in range(0, len(i), step)):
        apart = x[i[part]].astype(np.float64)
        apart -= y[j[part]]
        found[part] = np.einsum("pd,pd->p", apart, apart)
    return found


def pairs_within(
    x: Float[np.ndarray, "n d"],
    y: Float[np.ndarray, "m d"],
    around_x: Float64[np.ndarray, "n p"],
    around_y: Float64[np.ndarray, "m q"],
) -> Iterator[Pairs]:
    """Block by block, all pairs of which one lies within some squared radius of the other, and a few that nearly do.

    The distances are rough, but on the right side of each radius.
    """
    center = x.mean(0, dtype=np.float64)
    a, b = Cloud.of(x, center, np.float32), Cloud.of(y, center, np.float32)
    reach_a = (around_x.max(1) + a.slack(a.lengths, b.lengths.max())).astype(np.float32)
    reach_b = (around_y.max(1) + a.slack(b.lengths, a.lengths.max())).astype(np.float32)
    for rows, columns in ((r, c) for r in blocks(len(x)) for c in blocks(len(y))):
        squared = a.squared(rows, b, columns)
        r, c = np.nonzero((squared <= reach_a[rows, None]) | (squared <= reach_b[columns]))
        i, j, found = r + rows.start, c + columns.start, squared[r, c].astype(np.float64)
        to_radii = np.abs(found[:, None] - np.concatenate([around_x[i], around_y[j]], 1)).min(1)
        unsure = to_radii <= a.slack(a.lengths[i], b.lengths[j])
        found[unsure] = exact(x, y, i[unsure], j[unsure])
        yield i, j, found


@dataclass(frozen=True)
class Cloud:
    """Points about a center, so that they are short, and the length of each."""

    centered: Float[np.ndarray, "n d"]
    lengths: Float64[np.ndarray, "n"]

    @classmethod
    def of(cls, points: Float[np.ndarray, "n d"], center: Float64[np.ndarray, "d"], precision: type) -> "Cloud":
        """Points in float32 or float64."""
        finer = np.promote_types(points.dtype, precision)
        centered = np.subtract(points, center.astype(finer), dtype=finer).astype(precision, copy=False)
        return cls(centered, np.sqrt(np.einsum("nd,nd->n", centered, centered), dtype=np.float64))

    def squared(self, rows: slice, other: "Cloud", columns: slice) -> Float[np.ndarray, "r c"]:
        """Rough squared distances of some points to some of another cloud about the same center."""
        squared = self.centered[rows] @ other.centered[columns].T
        squared *= -2
        squared += np.square(self.lengths[rows, None]).astype(squared.dtype)
        squared += np.square(other.lengths[columns]).astype(squared.dtype)
        return squared

    def slack(self, lengths: np.ndarray, others: np.ndarray | float) -> Float64[np.ndarray, "n"]:
        """By how much a rough squared distance of points of such lengths is wrong at most.

        A sum of d products is wrong by d u Σ|xᵢyᵢ| (Higham 2002, Accuracy and Stability of Numerical Algorithms,
        section 3.1), with u half the distance from 1 to the next number; sixteen u more pay for all else.
        """
        u = float(np.finfo(self.centered.dtype).eps) / 2
        return np.asarray((self.centered.shape[1] + 16) * u * np.square(lengths + others))


def blocks(n: int) -> Iterator[slice]:
    """All of n rows, a thousand at a time."""
    return (slice(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK))
