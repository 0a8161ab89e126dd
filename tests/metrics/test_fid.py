import numpy as np
import pytest
from scipy.linalg import sqrtm

from genpipe.metrics.fid import Gaussian, distance, statistics


def gaussian(mean: np.ndarray, covariance: np.ndarray) -> Gaussian:
    values, vectors = np.linalg.eigh(covariance)
    return Gaussian(mean, np.sqrt(values.clip(0))[:, None] * vectors.T)


def test_means_zero_and_one_with_unit_covariance_in_2048_dimensions() -> None:
    unit = np.eye(2048)
    assert distance(Gaussian(np.zeros(2048), unit), Gaussian(np.ones(2048), unit)) == pytest.approx(2048, rel=1e-12)


@pytest.mark.parametrize("rank", [3, 20])
def test_closed_form_of_gaussians_that_commute(rank: int) -> None:
    """With C_a = V diag(a) Vᵀ and C_b = V diag(b) Vᵀ the distance is ‖m‖² + Σ(√a − √b)²."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    a, b = (np.where(np.arange(20) < rank, rng.uniform(0, 9, 20), 0) for _ in range(2))
    mean = rng.normal(size=20)
    expected = np.square(mean).sum() + np.square(np.sqrt(a) - np.sqrt(b)).sum()
    made = distance(gaussian(mean, basis * a @ basis.T), gaussian(np.zeros(20), basis * b @ basis.T))
    assert made == pytest.approx(expected, rel=1e-6)


def test_equals_the_matrix_root_where_that_is_exact() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(500, 12)) @ rng.normal(size=(12, 12)), rng.normal(1, 2, size=(400, 12))
    cx, cy = np.cov(x.T), np.cov(y.T)
    root = sqrtm(cx @ cy).real
    expected = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(cx + cy - 2 * root)
    assert distance(statistics(x), statistics(y)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n", [2, 5, 64, 300])
def test_a_set_against_itself_is_zero_also_with_fewer_images_than_dimensions(n: int) -> None:
    x = np.random.default_rng(2).normal(size=(n, 64)).astype(np.float32) * 100
    assert abs(distance(statistics(x), statistics(x))) < 1e-6
    assert abs(distance(statistics(x), statistics(x[::-1]))) < 1e-6


def test_the_factor_gives_the_covariance() -> None:
    x = np.random.default_rng(3).normal(size=(50, 4))
    factor = statistics(x).factor
    np.testing.assert_allclose(factor.T @ factor, np.cov(x.T), atol=1e-12)


def test_one_image_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="at least two"):
        statistics(np.zeros((1, 4)))
