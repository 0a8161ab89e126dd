"""Pixels: the images themselves, scaled to [0, 1]."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from jaxtyping import Float, UInt8
from pydantic import Field

from genpipe.interfaces.extractors import Extractor, FeatureSet
from genpipe.interfaces.spec import DataSpec
from genpipe.schema import Strict

CHUNK_IMAGES = 1000


class Pixels(Extractor):
    """Features are all values of an image in a row; there are no classes, and nothing has to be there first."""

    class Config(Strict):
        size: Annotated[int, Field(ge=1)] | None = 16
        """Pixels of the shorter side to which larger images are averaged down; null: none is."""

    def __init__(self, config: Config, spec: DataSpec) -> None:
        short = min(spec.height, spec.width)
        self.size: list[int] = []
        if config.size and config.size < short:
            self.size = [round(side * config.size / short) for side in (spec.height, spec.width)]
            self.rows, self.columns = averaging(spec.height, self.size[0]), averaging(spec.width, self.size[1]).T

    def extract(self, images: UInt8[np.ndarray, "n c h w"]) -> FeatureSet:
        starts = range(0, len(images), CHUNK_IMAGES)
        features = [self._features(images[start : start + CHUNK_IMAGES]) for start in starts]
        return FeatureSet(images, np.concatenate(features))

    def described(self) -> Mapping[str, object]:
        resizer = f"average of areas, to {self.size[0]}×{self.size[1]}" if self.size else "none"
        return {"resizer": resizer, "values": "x / 255", "precision": "float32"}

    def _features(self, images: np.ndarray) -> Float[np.ndarray, "n d"]:
        x = images.astype(np.float32) / 255
        return (self.rows @ x @ self.columns if self.size else x).reshape(len(x), -1)


def averaging(size: int, wanted: int) -> Float[np.ndarray, "wanted size"]:
    """The matrix that averages one side of an image down: row i holds the share of each pixel in the i-th new one."""
    edges = np.linspace(0, size, wanted + 1)
    before = np.arange(size)
    overlap = np.minimum(edges[1:, None], before + 1) - np.maximum(edges[:-1, None], before)
    return (overlap.clip(0) * wanted / size).astype(np.float32)
