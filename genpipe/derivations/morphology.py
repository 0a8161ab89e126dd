"""Morphology: dilated or eroded images; light strokes on dark become thicker or thinner (Serra 1982)."""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from genpipe.interfaces.derivations import Derivation
from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.schema import Strict


class Morphology(Derivation):
    """An image [c h w] of the brightest (dilate) or darkest (erode) pixels within a disk around each pixel.

    Beyond the border there is nothing to be brighter or darker.
    """

    class Config(Strict):
        operation: Literal["dilate", "erode"] = "dilate"
        """dilate: light strokes become thicker, and dark ones thinner; erode: the other way round."""
        pixels: Annotated[int, Field(ge=1, le=16)] = 1
        """The radius of the disk."""

    def __init__(self, config: Config, spec: DataSpec) -> None:
        self.config, self.field = config, FieldSpec("image", spec.shape)

    def rows(self, images: UInt8[np.ndarray, "n c h w"], rngs: Sequence[np.random.Generator]) -> np.ndarray:
        radius, dilate = self.config.pixels, self.config.operation == "dilate"
        (height, width), combine = images.shape[2:], np.maximum if dilate else np.minimum
        around = ((0, 0), (0, 0), (radius, radius), (radius, radius))
        padded = np.pad(images, around, constant_values=0 if dilate else 255)
        found = images.copy()
        for down, right in np.ndindex(2 * radius + 1, 2 * radius + 1):
            if (down - radius) ** 2 + (right - radius) ** 2 <= radius**2:
                combine(found, padded[:, :, down : down + height, right : right + width], out=found)
        return found
