"""Nearest training neighbors of samples, in pixels and in features."""

from typing import Annotated

import numpy as np
from pydantic import Field

from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.nn.image_grid import grid
from genpipe.nn.neighbors import flat, nearest
from genpipe.schema import Strict


class NearestNeighbors(Analysis):
    """A picture in three rows: samples, their nearest training images in pixels, and in features."""

    class Config(Strict):
        images: Annotated[int, Field(ge=1, le=64)] = 10

    def run(self, context: AnalysisContext) -> AnalysisResult:
        n, training = self.config.images, context.real.training
        samples = context.samples
        in_pixels = nearest(flat(samples.images[:n]), flat(training.images))[1][:, 0]
        in_features = nearest(samples.features[:n], training.features)[1][:, 0]
        rows = [samples.images[:n], training.images[in_pixels], training.images[in_features]]
        caption = "Samples above; below each the nearest training image in pixels, then in the extractor's features."
        return AnalysisResult({"nearest_neighbors": (grid(np.concatenate(rows), len(rows[0])), caption)})
