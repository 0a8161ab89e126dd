"""Points in one or two dimensions: images of one pixel, a channel a coordinate from -1 to 1."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from scipy.stats import norm

from genpipe.errors import Unsuitable
from genpipe.interfaces.extractors import FeatureSet

Points = Float[np.ndarray, "n d"]
Cells = Float[np.ndarray, "cells"]


@dataclass(frozen=True)
class Lattice:
    """[-1, 1] in each dimension, cut into equal cells; arrays of cells run through the last dimension fastest."""

    dimensions: int
    cells_a_side: int

    @property
    def edges(self) -> Float[np.ndarray, "k"]:
        return np.linspace(-1, 1, self.cells_a_side + 1)

    @property
    def centers(self) -> Points:
        middles = (self.edges[1:] + self.edges[:-1]) / 2
        return np.stack(np.meshgrid(*[middles] * self.dimensions, indexing="ij"), -1).reshape(-1, self.dimensions)

    def counted(self, points: Points) -> Cells:
        """The share of points in each cell."""
        counts, _ = np.histogramdd(points, [self.edges] * self.dimensions)
        return counts.ravel() / len(points)

    def mass(self, normals: "Normals") -> Cells:
        """The probability of each cell under a mixture of normal distributions."""
        total = np.zeros(self.cells_a_side**self.dimensions)
        for weight, mean, deviation in zip(normals.weights, normals.means, normals.deviations, strict=True):
            sides = [np.diff(norm.cdf(self.edges, m, deviation)) for m in mean]
            total += weight * (sides[0] if self.dimensions == 1 else np.outer(*sides).ravel())
        return total


@dataclass(frozen=True)
class Normals:
    """A mixture of round normal distributions."""

    weights: Float[np.ndarray, "k"]
    means: Float[np.ndarray, "k d"]
    deviations: Float[np.ndarray, "k"]


def points_of(images: UInt8[np.ndarray, "n c h w"]) -> Points:
    """The points that images stand for. Raises Unsuitable if they are more than points."""
    if images.shape[2:] != (1, 1) or images.shape[1] > 2:
        raise Unsuitable(
            "an analysis of densities needs points in one or two dimensions, but images have "
            f"{images.shape[1]} channels and {images.shape[2]}×{images.shape[3]} pixels. Take the data source "
            "`mixture` with `size: 1`, or take the analysis out."
        )
    return images[:, :, 0, 0] / 127.5 - 1


def components(real: FeatureSet) -> Normals:
    """The mixture whose components are the classes, by maximum likelihood. Raises Unsuitable without labels."""
    points = points_of(real.images)
    if real.labels is None:
        raise Unsuitable("an analysis of densities needs labels, which say of what component of a mixture a point is.")
    groups = [points[real.labels == label] for label in np.unique(real.labels)]
    return Normals(
        np.array([len(group) for group in groups]) / len(points),
        np.stack([group.mean(0) for group in groups]),
        np.array([np.sqrt(group.var(0).mean()) for group in groups]),
    )
