"""FID of infinitely many images (Chong & Forsyth 2020, arXiv:1911.07023)."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from genpipe.interfaces import Counts, Evidence, Metric, Real, Score
from genpipe.metrics._extrapolation import Sizes, at_infinity, fewest, sizes
from genpipe.metrics._frechet import GAUSSIAN, Gaussian, distance, statistics
from genpipe.metrics._subsets import SUBSETS, by_content, disjoint, interval, origin


class FIDInfinity(Metric):
    """FID extrapolated to 1/n = 0 over subsets of the images; none of fewer than four images a feature."""

    class Config(Sizes): ...

    title = "Fréchet distance of infinitely many images (FID∞)"
    meaning = (
        "What the Fréchet distance would be if images were generated without end, so that figures of different "
        "numbers of images compare. The training images stay as many as they are and leave a floor above 0, and all "
        "else that the Fréchet distance misses it misses too."
    )
    lower_is_better = True
    gives_nothing = "it needs four samples for each number of the extractor's features"

    @property
    def least_images(self) -> Counts:
        return Counts(training=2, samples=fewest(1))

    def scores(self, images: Evidence, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        features, known = images.features[by_content(images.images)], real.training
        least = fewest(features.shape[1])
        if len(features) < least or len(known.features) < 2:
            return {}
        value = score(features, GAUSSIAN.of(known), seed, self.config)
        subsets = disjoint(len(features), SUBSETS, seed, least)
        parts = [score(features[s], GAUSSIAN.of(known), seed, self.config) for s in subsets]
        how = {**self.config.model_dump(), **origin(parts)}
        return {f"fid_infinity_{extractor}": Score(value, how, interval(value, parts))}


def score(features: Float[np.ndarray, "n d"], real: Gaussian, seed: int, chosen: Sizes) -> float:
    """FID∞ of at least four images a dimension; below 0 by chance where there is next to no distance."""
    of_sizes = sizes(len(features), features.shape[1], chosen)
    return at_infinity(lambda part: distance(statistics(features[part]), real), of_sizes, seed)
