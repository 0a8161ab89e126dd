"""How far images are from each other."""

import math

import numpy as np
from jaxtyping import Float, UInt8


def squared_errors(a: UInt8[np.ndarray, "n c h w"], b: UInt8[np.ndarray, "n c h w"]) -> Float[np.ndarray, "n"]:
    """‖a − b‖² of each pair of images, on the scale of [-1, 1]."""
    return np.square((a.astype(np.float64) - b) * (2 / 255)).sum((1, 2, 3))


def absolute_error(a: UInt8[np.ndarray, "n c h w"], b: UInt8[np.ndarray, "n c h w"]) -> float:
    """The mean absolute difference, in gray levels."""
    return float(np.abs(a.astype(np.float64) - b).mean())


def psnr(a: UInt8[np.ndarray, "*s"], b: UInt8[np.ndarray, "*s"]) -> float:
    """Peak signal-to-noise ratio of the mean squared error of all values, in decibels; infinite without any error."""
    mse = np.square(a.astype(np.float64) - b).mean()
    return 10 * math.log10(255**2 / mse) if mse else math.inf
