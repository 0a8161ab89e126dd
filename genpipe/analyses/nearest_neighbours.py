"""Nearest training neighbours of samples, in pixels and in features."""

from typing import Annotated

import numpy as np
from pydantic import Field

from genpipe.interfaces import Analysis, Findings, Subject
from genpipe.nn.neighbours import flat, nearest
from genpipe.nn.pictures import grid
from genpipe.schema import Strict


class NearestNeighbours(Analysis):
    """A picture in three rows: samples, their nearest training images in pixels, and in features."""

    class Config(Strict):
        images: Annotated[int, Field(ge=1, le=64)] = 10

    def run(self, subject: Subject) -> Findings:
        n, training = self.config.images, subject.real.training
        samples = subject.samples
        in_pixels = nearest(flat(samples.images[:n]), flat(training.images))[1][:, 0]
        in_features = nearest(samples.features[:n], training.features)[1][:, 0]
        rows = [samples.images[:n], training.images[in_pixels], training.images[in_features]]
        caption = "Samples above; below each the nearest training image in pixels, then in the extractor's features."
        return Findings({"nearest_neighbours": (grid(np.concatenate(rows), len(rows[0])), caption)})
