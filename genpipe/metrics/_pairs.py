"""What the scores of pairs share: image k of one set is to be what image k of the other is."""

import numpy as np
from jaxtyping import Float

from genpipe.interfaces.metrics import Score
from genpipe.metrics._subsets import interval


def matched(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as they are. Raises ValueError if they cannot be pairs."""
    if a.shape != b.shape:
        raise ValueError(f"arrays of {a.shape} and {b.shape} are no pairs; give as many images, of the same size.")
    return a, b


def mean_score(values: Float[np.ndarray, "n"], **how: object) -> Score:
    """The mean over pairs, with the interval that follows from how they differ; none of a single pair."""
    value = float(values.mean())
    return Score(value, how, interval(value, values))
