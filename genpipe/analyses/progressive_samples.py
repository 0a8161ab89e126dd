"""Growth: what a model that grew draws in each of its sizes (Karras et al. 2018, arXiv:1710.10196)."""

from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.resolutions import HasResolutions
from genpipe.nn.image_grid import grid
from genpipe.nn.latent_space import of_prior
from genpipe.nn.pixel_range import Output, warn_beyond
from genpipe.schema import Strict


class ProgressiveSamples(Analysis):
    """The same codes in every size, as the finished nets draw them up to there, enlarged to the full size.

    Layers went on learning after their own size was the largest, and the way from them to an image did not. Nothing is
    averaged down: how far a small image is from the full one, shrunk to its size, says what later layers changed.
    """

    class Config(Strict):
        images: Annotated[int, Field(ge=1, le=64)] = 10
        """Of each size."""

    requires = (HasResolutions,)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        model = context.model
        assert isinstance(model, HasResolutions)
        z = torch.from_numpy(of_prior(model, self.config.images, context.seed)).to(model.device)
        output = Output(type(model).__name__, "images of several sizes")
        with torch.inference_mode():
            drawn = {size: output.pixels(model.decode_at(z, size)).cpu().numpy() for size in model.sizes}
        warn_beyond([output])
        full = drawn[model.sizes[-1]]
        rows = [enlarged(images, model.sizes[-1] // size) for size, images in drawn.items()]
        told = f"The same codes drawn with a side of {', '.join(map(str, model.sizes))} pixels, and enlarged."
        numbers = {
            f"progressive_samples_rmse_{size}": float(
                np.sqrt(np.square(images - shrunk(full, model.sizes[-1] // size)).mean())
            )
            for size, images in drawn.items()
            if size < model.sizes[-1]
        }
        return AnalysisResult({"progressive_samples": (grid(np.concatenate(rows), self.config.images), told)}, numbers)


def enlarged(images: np.ndarray, factor: int) -> np.ndarray:
    """Every pixel so many times along each side."""
    return images.repeat(factor, axis=2).repeat(factor, axis=3)


def shrunk(images: np.ndarray, factor: int) -> np.ndarray:
    """The mean, in levels, of every square of so many pixels along each side."""
    n, c, h, w = images.shape
    return images.reshape(n, c, h // factor, factor, w // factor, factor).mean((3, 5))
