"""The Fréchet distance of Gaussians fitted to features (Heusel et al. 2017, arXiv:1706.08500, eq. 6)."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64

from genpipe.interfaces import Statistic

_EPS = float(np.finfo(np.float64).eps)
_SINGULAR = 1e-5
"""Least reciprocal condition number of a Cholesky factor; its square bounds what was lost in forming the covariance."""
_SMALL = 256
"""Up to this size singular values take milliseconds."""
_TOLERANCE = 1e-7
"""Largest error of a distance from eigenvalues, relative to the distance."""


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
    centred = features.astype(np.float64)
    centred -= mean
    return Gaussian(mean, _factor(centred) / np.sqrt(len(features) - 1))


GAUSSIAN = Statistic("gaussian", Gaussian, lambda images: statistics(images.features))


def distance(a: Gaussian, b: Gaussian) -> float:
    """‖m_a − m_b‖² + tr(C_a + C_b − 2 (C_a C_b)^½).

    tr (C_a C_b)^½ is the sum of the singular values of R_a R_bᵀ, which is exact where a matrix root is not: for
    covariances without full rank. Never complex, never below 0 by more than rounding.
    """
    rest = np.square(a.mean - b.mean).sum() + np.square(a.factor).sum() + np.square(b.factor).sum()
    product = a.factor @ b.factor.T
    if min(product.shape) > _SMALL:
        root, error = by_eigenvalues(product)
        if 2 * error <= _TOLERANCE * (rest - 2 * root):
            return float(rest - 2 * root)
    return float(rest - 2 * by_singular_values(product))


def by_singular_values(product: Float64[np.ndarray, "r s"]) -> float:
    """The sum of the singular values, exact to rounding."""
    return float(torch.linalg.svdvals(torch.from_numpy(product)).sum())


def by_eigenvalues(product: Float64[np.ndarray, "r s"]) -> tuple[float, float]:
    """The sum of the singular values P as roots of the eigenvalues λ of P Pᵀ, and a bound of its error.

    Several times faster, but a small λ drowns in the rounding of a large one. Rounding moves all λ together by
    ‖δ‖ ≤ c ε ‖P Pᵀ‖_F (Hoffman & Wielandt 1953), and so Σ √λ by Σ δ/2√λ ≤ ½ ‖δ‖ (Σ 1/λ)^½, as long as no λ is
    as small as ‖δ‖. c = 8 is several times what was seen.
    """
    shorter = product if product.shape[0] <= product.shape[1] else product.T
    squared = shorter @ shorter.T
    values = np.linalg.eigvalsh(squared)
    moved = 8 * _EPS * np.linalg.norm(squared)
    if values[0] <= moved:
        return float(np.sqrt(values.clip(0)).sum()), np.inf
    return float(np.sqrt(values).sum()), float(moved * np.sqrt((1 / values).sum()) / 2)


def _factor(centred: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "r d"]:
    """R with RᵀR = XᵀX for features X of mean 0, with no row too many: features that never move take none."""
    (n, d), moving = centred.shape, np.flatnonzero(centred.any(0))
    if len(moving) == d:
        return _triangle(centred) if n > d else _reflected(centred)
    part = _factor(centred[:, moving])
    factor = np.zeros((len(part), d))
    factor[:, moving] = part
    return factor


def _reflected(centred: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "r d"]:
    """n − 1 rows: a Householder reflection that takes the direction of the mean to the first, where nothing is left."""
    return centred[1:] + centred[0] / (np.sqrt(len(centred)) - 1)


def _triangle(centred: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "d d"]:
    """By Cholesky's decomposition of XᵀX, unless that cannot be told from a singular matrix."""
    try:
        factor = np.linalg.cholesky(centred.T @ centred, upper=True)
    except np.linalg.LinAlgError:
        return orthogonal(centred)
    return factor if _condition(factor) > _SINGULAR else orthogonal(centred)


def orthogonal(centred: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "d d"]:
    """R of a QR decomposition: slower than Cholesky, and exact for every rank."""
    return torch.linalg.qr(torch.from_numpy(centred), mode="r").R.numpy()


def _condition(factor: Float64[np.ndarray, "d d"]) -> float:
    """Reciprocal condition number of a triangle with columns scaled to length 1: units of features cost nothing."""
    from scipy.linalg.lapack import dtrcon  # slow to import, and `genpipe list` can do without

    return float(dtrcon(factor / np.linalg.norm(factor, axis=0))[0])
