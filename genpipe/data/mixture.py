"""Points of a Gaussian mixture in one or two dimensions, whose density is known: no download.

A point is an image of one pixel, a channel a coordinate; like all images it is kept in 256 levels from -1 to 1.
"""

from collections.abc import Iterator, Mapping
from math import ceil, pi, sqrt
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from genpipe.dataset.splitting import pieces, splits_of
from genpipe.interfaces.sources import Chunk, Collection, Source
from genpipe.interfaces.spec import FieldSpec
from genpipe.schema import Strict

REACH = 0.7
"""Of the outermost means, from the origin on each axis."""
_TAILS = 4
"""So many deviations of every component must lie between -1 and 1."""


class Mixture(Source):
    """Components of equal weight and deviation; the component of a point is its class."""

    class Config(Strict):
        layout: Literal["line", "ring", "grid"] = "ring"
        """line: one dimension; ring and grid: two."""
        components: Annotated[int, Field(ge=1, le=100)] = 8
        deviation: Annotated[float, Field(gt=0, le=0.3)] = 0.05
        """Of each component in each direction."""
        images: Annotated[int, Field(ge=20, le=10_000_000)] = 20_000
        test_images: Annotated[int, Field(ge=1)] = 2000

        @model_validator(mode="after")
        def _lies_within(self) -> "Mixture.Config":
            if REACH + _TAILS * self.deviation > 1:
                raise ValueError(f"at most {(1 - REACH) / _TAILS:.3g}, so that the points lie between -1 and 1")
            return self

    def __init__(self, config: Config, root: Path) -> None:
        self.config = config
        self.means = _means(config.layout, config.components)

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(map(str, range(self.config.components)))

    @property
    def channels(self) -> int:
        return self.means.shape[1]

    @property
    def fields(self) -> Mapping[str, FieldSpec]:
        return {"point": FieldSpec("number", (self.channels,))}

    def collection(self, seed: int) -> Collection:
        count = self.config.images
        labels = np.arange(count) % self.config.components
        parts = splits_of(labels, count, self.config.test_images, seed)
        return Collection(lambda rows: self._drawn(rows, seed), parts, labels)

    def density(self, points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
        """p(x) of the mixture at points, per unit of length or area, before they are put into levels."""
        variance, dimensions = self.config.deviation**2, points.shape[1]
        squared = np.square(points[:, None] - self.means).sum(2)
        return np.exp(-squared / (2 * variance)).mean(1) / (2 * pi * variance) ** (dimensions / 2)

    def _drawn(self, rows: np.ndarray, seed: int) -> Iterator[Chunk]:
        for some in pieces(rows):
            noise = np.stack([np.random.default_rng((seed, int(row))).standard_normal(self.channels) for row in some])
            points = self.means[some % self.config.components] + self.config.deviation * noise
            levels = np.rint((points + 1) * 127.5).clip(0, 255).astype(np.uint8)
            yield Chunk(levels[:, None, None, :], {"point": points})


def _means(layout: str, components: int) -> Float[np.ndarray, "k d"]:
    if layout == "line":
        return np.linspace(-REACH, REACH, components)[:, None] if components > 1 else np.zeros((1, 1))
    if layout == "ring":
        angles = 2 * pi * np.arange(components) / components
        return REACH * np.stack([np.cos(angles), np.sin(angles)], 1)
    side = ceil(sqrt(components))
    steps = np.linspace(-REACH, REACH, side) if side > 1 else np.zeros(1)
    return np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)[:components]
