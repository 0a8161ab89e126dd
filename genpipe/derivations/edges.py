"""Edges: the strength of the Sobel gradient of the brightness, white on black (Sobel & Feldman 1968)."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from genpipe.dataset.luma import luma
from genpipe.errors import Unsuitable
from genpipe.interfaces.derivations import Derivation
from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.schema import Strict


class Edges(Derivation):
    """An image [1 h w] of √(gx² + gy²) / 4, at most 255: a straight step from 0 to 255 has this strength.

    gx and gy are the sums of the Sobel kernel [1 2 1] × [−1 0 1]; beyond the border its pixels are repeated.
    """

    class Config(Strict):
        threshold: Annotated[int, Field(ge=1, le=255)] | None = None
        """Edges at least so strong are 255, and all else is 0; None: as gray as they are strong."""

    def __init__(self, config: Config, spec: DataSpec) -> None:
        if spec.channels not in (1, 3):
            raise Unsuitable(f"edges are made of gray or color images, and these have {spec.channels} channels.")
        self.threshold, self.field = config.threshold, FieldSpec("image", (1, spec.height, spec.width))

    def rows(self, images: UInt8[np.ndarray, "n c h w"], rngs: Sequence[np.random.Generator]) -> np.ndarray:
        gray = luma(images.transpose(0, 2, 3, 1)) if images.shape[1] == 3 else images[:, 0]
        x = np.pad(gray.astype(np.int32), ((0, 0), (1, 1), (1, 1)), mode="edge")
        down = x[:, :-2] + 2 * x[:, 1:-1] + x[:, 2:]
        across = x[:, :, :-2] + 2 * x[:, :, 1:-1] + x[:, :, 2:]
        gx, gy = down[:, :, 2:] - down[:, :, :-2], across[:, 2:] - across[:, :-2]
        strength = np.minimum(np.rint(np.hypot(gx, gy) / 4), 255)
        found = strength if self.threshold is None else 255 * (strength >= self.threshold)
        return found.astype(np.uint8)[:, None]
