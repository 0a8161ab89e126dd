"""Low resolution: the image with fewer pixels, by antialiased bicubic interpolation, for super-resolution."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from genpipe.errors import Unsuitable
from genpipe.interfaces.derivations import Derivation
from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.schema import Strict


class LowResolution(Derivation):
    """An image [c h/factor w/factor] as Pillow makes it; `nn/resampling.bicubic` is the same of tensors."""

    class Config(Strict):
        factor: Literal[2, 4, 8] = 4
        """How many times fewer pixels each side has."""

    def __init__(self, config: Config, spec: DataSpec) -> None:
        if spec.height % config.factor or spec.width % config.factor:
            raise Unsuitable(
                f"of images of {spec.width}×{spec.height} pixels no side can be {config.factor} times smaller in whole "
                "pixels. Give a `factor` of 2, 4 or 8 that divides both sides, or another `image_size`."
            )
        small = spec.height // config.factor, spec.width // config.factor
        self.field = FieldSpec("image", (spec.channels, *small))

    def rows(self, images: UInt8[np.ndarray, "n c h w"], rngs: Sequence[np.random.Generator]) -> np.ndarray:
        height, width = self.field.shape[1:]
        found = np.empty((*images.shape[:2], height, width), np.uint8)
        for place in np.ndindex(*images.shape[:2]):
            found[place] = Image.fromarray(images[place]).resize((width, height), Image.Resampling.BICUBIC)
        return found
