"""Fréchet Inception Distance (Heusel et al. 2017, arXiv:1706.08500)."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from genpipe.interfaces import Counts, Evidence, Metric, Real, Score
from genpipe.metrics._frechet import GAUSSIAN, Gaussian, distance, statistics
from genpipe.metrics._subsets import SUBSETS, by_content, disjoint, interval, origin
from genpipe.schema import Strict

__all__ = ["FID", "Gaussian", "bias_estimate", "distance", "statistics"]


class FID(Metric):
    """Fréchet distance of two Gaussians fitted to features, eq. 6 of the paper; none of fewer than two images."""

    class Config(Strict): ...

    title = "Fréchet distance (FID)"
    meaning = (
        "How far the features of the images lie from those of the training images, both taken as Gaussians; 0 is the "
        "same mean and covariance. It falls with better and with more varied images, grows when few are compared, and "
        "does not punish copies of the training images."
    )
    lower_is_better = True
    by_step = True

    @property
    def least_images(self) -> Counts:
        return Counts(training=2, samples=2)

    def scores(self, images: Evidence, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        if min(len(images.features), len(real.training.features)) < 2:
            return {}
        features, known = images.features[by_content(images.images)], GAUSSIAN.of(real.training)
        value = distance(statistics(features), known)
        parts = [distance(statistics(features[s]), known) for s in disjoint(len(features), SUBSETS, seed)]
        bias = bias_estimate(features, known, value, seed)
        how = {**origin(parts), **({} if bias is None else {"bias_estimate": bias})}
        return {f"fid_{extractor}": Score(value, how, interval(value, parts))}


def bias_estimate(features: Float[np.ndarray, "n d"], real: Gaussian, value: float, seed: int) -> float | None:
    """By how much the distance `value` of these features is too large because they are no more; None of fewer than 4.

    The bias falls as 1/n (Chong & Forsyth 2020, arXiv:1911.07023), so two halves of the images have twice of it. With
    fewer than about two images a dimension it falls more slowly, and the estimate is too low.
    """
    halves = [distance(statistics(features[half]), real) for half in disjoint(len(features), 2, seed)]
    return float(np.mean(halves)) - value if halves else None
