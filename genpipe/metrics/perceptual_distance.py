"""Distance of pairs of images in the features of an extractor, after LPIPS (Zhang et al. 2018, arXiv:1801.03924)."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.metrics import Metric, Score
from genpipe.metrics._pairs import matched, mean_score
from genpipe.schema import Strict


class PerceptualDistance(Metric):
    """‖f/‖f‖ − g/‖g‖‖² of the features f and g of a pair, on average.

    It is not LPIPS: that adds up several layers, place by place, with weights learned from what people see. This is one
    layer, the extractor's flat features, each counting the same.
    """

    class Config(Strict): ...

    title = "Perceptual distance"
    meaning = (
        "How differently the extractor sees the two images of a pair: 0 for the same, 2 for features with nothing in "
        "common. It misses what the extractor was not taught to see, and is not the published LPIPS."
    )
    lower_is_better = True
    input = "feature pairs"
    real_split = "test"

    def scores(self, images: FeatureSet, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        features = matched(images.features, real.held_out.features)
        return {f"perceptual_distance_{extractor}": mean_score(distances(*features))}


def distances(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
    """Squared Euclidean distance of the features of each pair, scaled to length 1; from 0 to 4."""
    return np.square(_unit(a) - _unit(b)).sum(1)


def _unit(features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Rows of length 1; a row of zeros, which has no direction, stays."""
    rows = features.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
