"""Memorization in features: how much nearer to training images samples lie than unseen real images do."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.metrics import Metric, Score
from genpipe.metrics._copying import compared
from genpipe.schema import Strict


class FeatureMemorization(Metric):
    """Three figures of the distance in features to the nearest training image, beside those of unseen real images."""

    class Config(Strict):
        closest_share: Annotated[float, Field(gt=0, lt=1)] = 0.05
        """"Near" is what this share of the unseen real images is."""
        subsets: Annotated[int, Field(ge=2)] = 10
        """Of the images, for the intervals."""

    title = "Memorization in features"
    meaning = (
        "How near images lie to their nearest training image in the extractor's features, which a shift or a touch of "
        "noise hardly moves; the three figures are those of memorization in pixels. A classifier pulls its classes "
        "together, training images most of all, so typical samples are near without being copies."
    )
    lower_is_better = None
    real_split = "train and test"

    def scores(self, images: FeatureSet, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        points = images.features, real.held_out.features, real.training.features
        return compared(points, self.config.closest_share, self.config.subsets, seed, f"features_{extractor}")
