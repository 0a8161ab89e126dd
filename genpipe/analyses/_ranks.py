"""Whether one thing rises with another."""

import numpy as np
from jaxtyping import Float


def rank_correlation(x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]) -> float:
    """Spearman's: 1 where y rises with x throughout, −1 where it falls, 0 where either is constant."""
    a, b = _ranks(x), _ranks(y)
    spread = np.sqrt(np.square(a).sum() * np.square(b).sum())
    return float((a * b).sum() / spread) if spread else 0.0


def _ranks(values: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Ranks about their mean; equal values share one."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return np.asarray(ranks - ranks.mean())
