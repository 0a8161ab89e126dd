"""Inception Score (Salimans et al. 2016, arXiv:1606.03498)."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from jaxtyping import Float
from pydantic import Field

from genpipe.interfaces.dataset_info import Counts
from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.metrics import Metric, Score
from genpipe.metrics._inception import unsplit
from genpipe.metrics._subsets import by_content, interval, origin
from genpipe.schema import Strict

__all__ = ["InceptionScore", "of_splits", "score", "unsplit"]


class InceptionScore(Metric):
    """exp(E KL(p(y|x) ‖ p(y))) over the class probabilities that the extractor gives; none of fewer images than splits.

    The splits are the disjoint subsets of its interval, if each has two images or more.
    """

    class Config(Strict):
        splits: Annotated[int, Field(ge=1)] = 10

    title = "Inception Score"
    meaning = (
        "High when the classifier is sure what each image shows and all classes are shown equally often; it lies "
        "between 1 and the number of classes. It never looks at real images, so it misses whatever leaves the class "
        "recognisable: blur, noise, copies, one picture a class."
    )
    lower_is_better = False
    input = "probabilities"
    real_split = "none"
    by_step = True
    lowered = {"splits": 1}

    @property
    def least_images(self) -> Counts:
        return Counts(samples=self.config.splits)

    def scores(self, images: FeatureSet, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        assert images.probabilities is not None, "a metric of probabilities is only given features that has them"
        splits = self.config.splits
        if len(images.probabilities) < splits:
            return {}
        values = of_splits(images.probabilities[by_content(images.images)], splits, seed)
        mean, deviation = float(np.mean(values)), float(np.std(values))
        parts = values if len(images.probabilities) >= 2 * splits else []
        how = {"splits": splits, **origin(parts)}
        return {
            f"is_{extractor}": Score(mean, how, interval(mean, parts)),
            f"is_{extractor}_std": Score(deviation),
        }


def score(probabilities: Float[np.ndarray, "n k"], splits: int, seed: int) -> tuple[float, float]:
    """Mean and standard deviation (ddof 0) of the score over splits. Raises ValueError as `of_splits` does."""
    values = of_splits(probabilities, splits, seed)
    return float(np.mean(values)), float(np.std(values))


def of_splits(probabilities: Float[np.ndarray, "n k"], splits: int, seed: int) -> list[float]:
    """The score of each of so many splits of equal size, after a shuffle by the seed, which is torch-fidelity's.

    Unshuffled, images sorted by class would score near 1. Raises ValueError if there are fewer images than splits.
    """
    n = len(probabilities)
    if n < splits:
        raise ValueError(f"{n} images cannot be cut into {splits} splits; give fewer splits.")
    order = np.random.RandomState(seed).permutation(n)
    return [unsplit(probabilities[order[i * n // splits : (i + 1) * n // splits]]) for i in range(splits)]
