"""Shares of images that are seen rightly, and how far such a share is to be trusted."""

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtri


def share_known(probabilities: Float[np.ndarray, "n k"], labels: Int[np.ndarray, "n"]) -> float:
    """The share of images whose most probable class is their label."""
    return float(np.mean(probabilities.argmax(1) == labels))


def wilson(share: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Where a probability lies if this share of n trials succeeded.

    Wilson 1927, doi:10.1080/01621459.1927.10502953.
    """
    z = float(ndtri((1 + confidence) / 2))
    center = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float(center - half), float(center + half)
