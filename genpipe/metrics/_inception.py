"""The Inception Score of one set of class probabilities (Salimans et al. 2016, arXiv:1606.03498)."""

import numpy as np
from jaxtyping import Float


def unsplit(probabilities: Float[np.ndarray, "n k"]) -> float:
    """exp(E KL(p(y|x) ‖ p(y))) = exp(H(y) − E H(y|x)) of one set of class probabilities."""
    p = probabilities.astype(np.float64)
    return float(np.exp(_entropy(p.mean(0)) - _entropy(p).mean()))


def _entropy(p: np.ndarray) -> np.ndarray:
    """In nats, along the last axis; 0 log 0 is 0."""
    return np.asarray(-(p * np.log(p, where=p > 0, out=np.zeros_like(p))).sum(-1))
