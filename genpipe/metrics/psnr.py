"""Peak signal-to-noise ratio of pairs of images, in decibels."""

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, UInt8

from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.metrics import Metric, Score
from genpipe.metrics._pairs import matched, mean_score, pixels_compared
from genpipe.schema import Strict


class PSNR(Metric):
    """10 log₁₀(255² / MSE) of the mean squared error over all pairs."""

    class Config(Strict): ...

    title = "Peak signal-to-noise ratio (PSNR)"
    meaning = (
        "How small the squared error of the pixels is, in decibels: 10 dB more is a tenth of it. It takes a blurred "
        "image for nearer than a sharp one that is shifted by a pixel, which eyes do not."
    )
    lower_is_better = False
    input = "pixel pairs"
    real_split = "test"
    gives_nothing = "all pairs are the same, and without any error it is infinite"

    def scores(self, images: FeatureSet, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        given, truth = matched(images.images, real.held_out.images)
        errors = squared_errors(given, truth)
        if not errors.any():
            return {}  # infinite, which is no figure
        return {"psnr_pixels": mean_score(linearized(errors), mean_of="squared errors", **pixels_compared(truth))}


def squared_errors(a: UInt8[np.ndarray, "n c h w"], b: UInt8[np.ndarray, "n c h w"]) -> Float[np.ndarray, "n"]:
    """The mean squared difference of each pair, in squared gray levels."""
    return np.array([np.square(x.astype(np.float64) - y).mean() for x, y in zip(a, b, strict=True)])


def decibels(mse: float) -> float:
    """10 log₁₀(255² / mse); infinite without any error."""
    return 10 * math.log10(255**2 / mse) if mse else math.inf


def linearized(errors: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """A figure in dB for each pair whose mean is the PSNR of the mean error, and whose deviation gives that of it.

    It is the PSNR to the first order in the error of the pair, so that it is finite also where that error is 0.
    """
    mse = float(errors.mean())
    return decibels(mse) - 10 / np.log(10) * (errors - mse) / mse
