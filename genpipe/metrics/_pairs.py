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


def pixels_compared(images: np.ndarray) -> dict[str, object]:
    """What of images [n c h w] a score compares, which others may do otherwise: all channels, up to the border."""
    return {"channels": {1: "gray", 3: "RGB"}.get(images.shape[1], images.shape[1]), "border_pixels_cut": 0}


def mean_score(values: Float[np.ndarray, "n"], **how: object) -> Score:
    """The mean over pairs, with the interval that follows from how they differ; none of a single pair."""
    value = float(values.mean())
    return Score(value, how, interval(value, values))
