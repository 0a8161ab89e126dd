"""Reconstruction: held-out images beside what a model makes of them."""

from typing import Annotated

import numpy as np
from pydantic import Field

from genpipe.analyses._errors import squared_errors
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.generative import Reconstructs
from genpipe.nn.batched_inference import rebuilt
from genpipe.nn.image_grid import grid
from genpipe.schema import Strict


class Reconstruction(Analysis):
    """A picture of pairs, and the mean squared error over all held-out images."""

    class Config(Strict):
        images: Annotated[int, Field(ge=1, le=64)] = 10

    requires = (Reconstructs,)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        held_out = np.asarray(context.real.held_out.images)
        approximations = rebuilt(context.model, held_out)
        n = min(self.config.images, len(held_out))
        error = squared_errors(approximations, held_out).mean()
        picture = grid(np.concatenate([held_out[:n], approximations[:n]]), n)
        caption = "Held-out images above, their reconstructions below."
        return AnalysisResult({"reconstruction": (picture, caption)}, {"reconstruction_squared_error": float(error)})
