"""Inception Score (Salimans et al. 2016, arXiv:1606.03498)."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from jaxtyping import Float
from pydantic import Field

from genpipe.interfaces import Evidence, Metric, Real, Score
from genpipe.schema import Strict


class InceptionScore(Metric):
    """exp(E KL(p(y|x) ‖ p(y))) over the class probabilities that the extractor gives."""

    class Config(Strict):
        splits: Annotated[int, Field(ge=1)] = 10

    title = "Inception Score"
    meaning = (
        "High when the classifier is sure what each image shows and all classes are shown equally often; it lies "
        "between 1 and the number of classes. It never looks at real images, so it misses whatever leaves the class "
        "recognisable: blur, noise, copies, one picture a class."
    )
    lower_is_better = False
    looks_at = "probabilities"
    by_step = True

    def scores(self, images: Evidence, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        assert images.probabilities is not None
        mean, deviation = score(images.probabilities, self.config.splits, seed)
        how = {"splits": self.config.splits, "seed": seed}
        return {f"is_{extractor}": Score(mean, how), f"is_{extractor}_std": Score(deviation)}


def score(probabilities: Float[np.ndarray, "n k"], splits: int, seed: int) -> tuple[float, float]:
    """Mean and standard deviation (ddof 0) of the score over splits of equal size, after a shuffle by the seed.

    Unshuffled, images sorted by class would score near 1. Raises ValueError if there are fewer images than splits.
    """
    if len(probabilities) < splits:
        raise ValueError(f"{len(probabilities)} images cannot be cut into {splits} splits; give fewer splits.")
    order = np.random.default_rng(seed).permutation(len(probabilities))
    parts = np.array_split(probabilities[order].astype(np.float64), splits)
    values = [unsplit(part) for part in parts]
    return float(np.mean(values)), float(np.std(values))


def unsplit(probabilities: Float[np.ndarray, "n k"]) -> float:
    """exp(H(y) − E H(y|x)) of one set of class probabilities."""
    return float(np.exp(_entropy(probabilities.mean(0)) - _entropy(probabilities).mean()))


def _entropy(p: np.ndarray) -> np.ndarray:
    """In nats, along the last axis; 0 log 0 is 0."""
    return np.asarray(-(p * np.log(p, where=p > 0, out=np.zeros_like(p))).sum(-1))
