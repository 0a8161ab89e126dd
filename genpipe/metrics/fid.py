"""Fréchet Inception Distance (Heusel et al. 2017, arXiv:1706.08500)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from genpipe.interfaces import Evidence, Metric, Real, Score
from genpipe.schema import Strict


class FID(Metric):
    """Fréchet distance of two Gaussians fitted to features, eq. 6 of the paper."""

    class Config(Strict): ...

    title = "Fréchet distance (FID)"
    meaning = (
        "How far the features of the images lie from those of the training images, both taken as Gaussians; 0 is the "
        "same mean and covariance. It falls with better and with more varied images, grows when few are compared, and "
        "does not punish copies of the training images."
    )
    lower_is_better = True
    by_step = True

    def scores(self, images: Evidence, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        return {f"fid_{extractor}": Score(distance(statistics(images.features), statistics(real.training.features)))}


@dataclass(frozen=True)
class Gaussian:
    """Mean [d] and a factor R [r d] of the covariance C = RᵀR, float64."""

    mean: Float[np.ndarray, "d"]
    factor: Float[np.ndarray, "r d"]


def statistics(features: Float[np.ndarray, "n d"]) -> Gaussian:
    """The Gaussian with the mean and the covariance (ddof 1) of the features.

    Raises ValueError if there are fewer than two images.
    """
    if len(features) < 2:
        raise ValueError(f"{len(features)} images have no covariance; at least two are needed.")
    mean = features.mean(0, dtype=np.float64)
    centred = features.astype(np.float64) - mean
    if len(centred) > centred.shape[1]:
        centred = np.linalg.qr(centred, mode="r")
    return Gaussian(mean, centred / np.sqrt(len(features) - 1))


def distance(a: Gaussian, b: Gaussian) -> float:
    """‖m_a − m_b‖² + tr(C_a + C_b − 2 (C_a C_b)^½).

    tr (C_a C_b)^½ is the nuclear norm of R_a R_bᵀ, which is exact where a matrix root is not: for covariances without
    full rank. Never complex, never below 0 by more than rounding.
    """
    shift = np.square(a.mean - b.mean).sum()
    traces = np.square(a.factor).sum() + np.square(b.factor).sum()
    return float(shift + traces - 2 * np.linalg.svd(a.factor @ b.factor.T, compute_uv=False).sum())
