"""Noise: the image with additive Gaussian noise, for denoising."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from genpipe.interfaces.derivations import Derivation
from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.schema import Strict


class Noise(Derivation):
    """An image [c h w] of x + N(0, std²), each value by itself, rounded and cut off at 0 and 255."""

    class Config(Strict):
        std: Annotated[float, Field(gt=0, le=255)] = 25.0
        """The deviation, in levels from 0 to 255."""

    random = True

    def __init__(self, config: Config, spec: DataSpec) -> None:
        self.std, self.field = config.std, FieldSpec("image", spec.shape)

    def rows(self, images: UInt8[np.ndarray, "n c h w"], rngs: Sequence[np.random.Generator]) -> np.ndarray:
        noisy = images.astype(np.float32)
        for image, rng in zip(noisy, rngs, strict=True):
            image += self.std * rng.standard_normal(image.shape, dtype=np.float32)
        return np.rint(noisy, out=noisy).clip(0, 255, out=noisy).astype(np.uint8)
