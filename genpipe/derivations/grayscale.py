"""Grayscale: the brightness of color images, with the weights of ITU-R 601, for colorization."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from genpipe.dataset.luma import luma
from genpipe.errors import Unsuitable
from genpipe.interfaces.derivations import Derivation
from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.schema import Strict


class Grayscale(Derivation):
    """An image [1 h w] of the luma of an RGB image."""

    class Config(Strict): ...

    def __init__(self, config: Config, spec: DataSpec) -> None:
        if spec.channels != 3:
            raise Unsuitable(
                f"it is made of color images, and these have {spec.channels} channel{'s' * (spec.channels != 1)}. "
                "Take it out, or take a source with color images."
            )
        self.field = FieldSpec("image", (1, spec.height, spec.width))

    def rows(self, images: UInt8[np.ndarray, "n c h w"], rngs: Sequence[np.random.Generator]) -> np.ndarray:
        return luma(images.transpose(0, 2, 3, 1))[:, None]
