"""Inception Score of infinitely many images (Chong & Forsyth 2020, arXiv:1911.07023)."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from genpipe.interfaces.dataset_info import Counts
from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.metrics import Metric, Score
from genpipe.metrics._extrapolation import Sizes, at_infinity, fewest, sizes
from genpipe.metrics._inception import unsplit
from genpipe.metrics._subsets import SUBSETS, by_content, disjoint, interval, origin


class ISInfinity(Metric):
    """Inception Score, unsplit, extrapolated to 1/n = 0; none of fewer than four images a class."""

    class Config(Sizes): ...

    title = "Inception Score of infinitely many images (IS∞)"
    meaning = (
        "What the Inception Score would be if images were generated without end, so that figures of different numbers "
        "of images compare. Like the Inception Score it never looks at real images and misses whatever leaves the "
        "class recognisable."
    )
    lower_is_better = False
    input = "probabilities"
    real_split = "none"
    gives_nothing = "it needs four samples for each class of the extractor"

    @property
    def least_images(self) -> Counts:
        return Counts(samples=fewest(1))

    def scores(self, images: FeatureSet, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        assert images.probabilities is not None, "a metric of probabilities is only given features that has them"
        probabilities = images.probabilities[by_content(images.images)]
        least = fewest(probabilities.shape[1])
        if len(probabilities) < least:
            return {}
        value = score(probabilities, seed, self.config)
        subsets = disjoint(len(probabilities), SUBSETS, seed, least)
        parts = [score(probabilities[s], seed, self.config) for s in subsets]
        how = {**self.config.model_dump(), **origin(parts)}
        return {f"is_infinity_{extractor}": Score(value, how, interval(value, parts))}


def score(probabilities: Float[np.ndarray, "n k"], seed: int, chosen: Sizes) -> float:
    """IS∞ of at least four images a class."""
    of_sizes = sizes(len(probabilities), probabilities.shape[1], chosen)
    return at_infinity(lambda part: unsplit(probabilities[part]), of_sizes, seed)
