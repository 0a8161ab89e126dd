"""The nearest other points of each point, found roughly and then settled exactly."""

import numpy as np
import torch
from jaxtyping import Float, Float64, Int

from genpipe.metrics._distances import Cloud, blocks, exact

_SPARE = 3
"""Candidates for the nearest points beyond those asked for."""

Candidates = tuple[np.ndarray, np.ndarray]
"""Of some points the numbers of others [r c], and a squared distance below which no other point is left out [r]."""


def nearest_others(points: Float[np.ndarray, "n d"], k: int) -> Float64[np.ndarray, "n k"]:
    """Squared distances of each point to its k nearest other points, nearest first.

    float32 settles all but points that lie very close together, float64 all but those that differ in their last digits,
    and differences the rest. Raises ValueError if there are not more than k points.
    """
    n = len(points)
    if n <= k:
        raise ValueError(f"{n} images have no {k} nearest others each; give more images or a smaller k.")
    found, unsure = np.empty((n, k)), np.arange(n)
    for search in (_by_float32, _by_float64):
        if len(unsure):
            which, limit = search(points, unsure, min(k + _SPARE, n - 1))
            squared = exact(points, points, unsure.repeat(which.shape[1]), which.ravel()).reshape(which.shape)
            found[unsure] = np.sort(squared, 1)[:, :k]
            unsure = unsure[found[unsure, -1] > limit]
    if len(unsure):
        found[unsure] = _by_differences(points, unsure, k)
    return found


def _by_float32(points: Float[np.ndarray, "n d"], everyone: Int[np.ndarray, "n"], count: int) -> Candidates:
    """Candidates for all points; each block of distances serves its rows and its columns."""
    n = len(everyone)
    cloud, nearest = Cloud.of(points, points.mean(0, dtype=np.float64), np.float32), _Nearest(n, count)
    for rows, columns in ((r, c) for r in blocks(n) for c in blocks(n) if r.start <= c.start):
        squared = cloud.squared(rows, cloud, columns)
        if rows == columns:
            np.fill_diagonal(squared, np.inf)
        else:
            nearest.take(columns, squared.T, rows.start)
        nearest.take(rows, squared, columns.start)
    return nearest.candidates(cloud.slack(cloud.lengths, cloud.lengths.max()), n - 1)


def _by_float64(points: Float[np.ndarray, "n d"], few: Int[np.ndarray, "r"], count: int) -> Candidates:
    """Candidates for a few points."""
    n, center, nearest = len(points), points.mean(0, dtype=np.float64), _Nearest(len(few), count)
    for rows in blocks(len(few)):
        some = Cloud.of(points[few[rows]], center, np.float64)
        for columns in blocks(n):
            squared = some.squared(slice(None), Cloud.of(points[columns], center, np.float64), slice(None))
            squared[few[rows, None] == np.arange(columns.start, columns.stop)] = np.inf
            nearest.take(rows, squared, columns.start)
    lengths = np.sqrt(exact(points, center[None], np.arange(n), np.zeros(n, np.int64)))
    return nearest.candidates(some.slack(lengths[few], lengths.max()), n - 1)


def _by_differences(points: Float[np.ndarray, "n d"], few: Int[np.ndarray, "r"], k: int) -> Float64[np.ndarray, "r k"]:
    """Squared distances of a few points to their k nearest others, by brute force."""
    n, found = len(points), np.empty((len(few), k))
    for row, point in enumerate(few):
        squared = exact(points, points, np.full(n, point), np.arange(n))
        squared[point] = np.inf
        found[row] = np.sort(squared)[:k]
    return found


class _Nearest:
    """The nearest points found so far of each of some points, by rough squared distances."""

    def __init__(self, points: int, count: int) -> None:
        self.squared = torch.full((points, count), torch.inf, dtype=torch.float64)
        self.which = torch.zeros((points, count), dtype=torch.int64)

    def take(self, rows: slice, squared: Float[np.ndarray, "r c"], offset: int) -> None:
        """Looks at a block of distances of some points to others, the first of which has the number `offset`."""
        count = self.which.shape[1]
        near = torch.from_numpy(squared).topk(min(count, squared.shape[1]), largest=False)
        which = torch.cat([self.which[rows], near.indices + offset], 1)
        best = torch.cat([self.squared[rows], near.values.double()], 1).topk(count, largest=False)
        self.squared[rows], self.which[rows] = best.values, which.gather(1, best.indices)

    def candidates(self, slack: Float64[np.ndarray, "r"], others: int) -> Candidates:
        """What was found, if the distances were wrong by `slack` at most."""
        if self.which.shape[1] == others:
            return self.which.numpy(), np.full(len(slack), np.inf)
        return self.which.numpy(), (self.squared[:, -1].numpy() - slack).clip(0)
