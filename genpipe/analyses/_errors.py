"""How far images are from each other."""

import numpy as np
from jaxtyping import Float, UInt8


def squared_errors(a: UInt8[np.ndarray, "n c h w"], b: UInt8[np.ndarray, "n c h w"]) -> Float[np.ndarray, "n"]:
    """‖a − b‖² of each pair of images, on the scale of [-1, 1]."""
    return np.square((a.astype(np.float64) - b) * (2 / 255)).sum((1, 2, 3))
