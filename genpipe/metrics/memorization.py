"""Memorization: how much nearer to training images samples lie than unseen real images do, in pixels."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.metrics import Metric, Score
from genpipe.metrics._copying import compared
from genpipe.nn.neighbors import flat
from genpipe.schema import Strict


class Memorization(Metric):
    """Three figures of the distance in pixels to the nearest training image, beside those of unseen real images."""

    class Config(Strict):
        closest_share: Annotated[float, Field(gt=0, lt=1)] = 0.05
        """"Near" is what this share of the unseen real images is."""
        subsets: Annotated[int, Field(ge=2)] = 10
        """Of the images, for the intervals."""

    title = "Memorization"
    meaning = (
        "How near images lie to their nearest training image, in pixels: the share that is nearer than 95 % of the "
        "held-out real images are (5 % for those, 100 % for copies), the share of pairs in which an image is nearer "
        "than a held-out one (50 % for those, 100 % for copies), and the mean distance. Smooth and blurred images are "
        "near to many others, so look at the nearest neighbors before calling a high share copying."
    )
    lower_is_better = None
    input = "pixels"
    real_split = "train and test"

    def scores(self, images: FeatureSet, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        points = flat(images.images), flat(real.held_out.images), flat(real.training.images)
        return compared(points, self.config.closest_share, self.config.subsets, seed, "pixels")
