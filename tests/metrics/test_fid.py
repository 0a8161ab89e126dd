import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.linalg import sqrtm
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from genpipe.metrics import _frechet
from genpipe.metrics._frechet import Gaussian, distance, statistics
from genpipe.metrics.fid import bias_estimate

LARGE = 300
"""More dimensions than are left to singular values without asking."""


def gaussian(mean: np.ndarray, covariance: np.ndarray) -> Gaussian:
    values, vectors = np.linalg.eigh(covariance)
    return Gaussian(mean, np.sqrt(values.clip(0))[:, None] * vectors.T)


def commuting(*spectra: np.ndarray, shift: float = 0.0) -> list[Gaussian]:
    """Gaussians with the same eigenvectors, and these roots of eigenvalues; their factors have nothing in common."""
    rng, d = np.random.default_rng(0), len(spectra[0])
    basis = np.linalg.qr(rng.normal(size=(d, d)))[0]
    turned = [np.linalg.qr(rng.normal(size=(d, d)))[0] * roots @ basis.T for roots in spectra]
    return [Gaussian(np.full(d, shift * i), factor) for i, factor in enumerate(turned)]


def by_theirs(x: np.ndarray, y: np.ndarray) -> float:
    """torch-fidelity's distance of the same features."""
    made = [fid_features_to_statistics(torch.from_numpy(features)) for features in (x, y)]
    return fid_statistics_to_metric(*made, verbose=False)["frechet_inception_distance"]


def reference(x: np.ndarray, y: np.ndarray) -> float:
    """In float64 from factors that no covariance was formed for."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    a, b = ((features - features.mean(0)) / np.sqrt(len(features) - 1) for features in (x, y))
    trace = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return np.square(x.mean(0) - y.mean(0)).sum() + np.square(a).sum() + np.square(b).sum() - 2 * trace


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which of the ways of computing were gone, in order."""
    gone: list[str] = []

    def noted(name: str):
        real = getattr(_frechet, name)
        monkeypatch.setattr(_frechet, name, lambda *given: (gone.append(name), real(*given))[1])

    for name in ("by_singular_values", "by_eigenvalues", "orthogonal"):
        noted(name)
    return gone


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


@pytest.mark.parametrize("decades", [0, 2, 4, 6, 8, 12, 16, 30])
def test_closed_form_whatever_the_condition(decades: int) -> None:
    """Eigenvalues of the covariances span so many powers of ten."""
    a = np.logspace(0, -decades / 2, LARGE)
    b = a * np.random.default_rng(1).uniform(0.8, 1.3, LARGE)
    assert distance(*commuting(a, b)) == pytest.approx(np.square(a - b).sum(), rel=1e-9)
    half = np.where(np.arange(LARGE) < LARGE // 2, a, 0)
    assert distance(*commuting(half, b)) == pytest.approx(np.square(half - b).sum(), rel=1e-9)


def test_eigenvalues_are_taken_where_they_are_exact_and_singular_values_elsewhere(routes: list[str]) -> None:
    def gone(*given: Gaussian) -> list[str]:
        routes.clear()
        distance(*given)
        return list(routes)

    even, steep = np.ones(LARGE), np.logspace(0, -3, LARGE)
    assert gone(*commuting(even, 2 * even)) == ["by_eigenvalues"]
    assert gone(*commuting(steep, 2 * steep)) == ["by_eigenvalues"]
    both = ["by_eigenvalues", "by_singular_values"]
    assert gone(*commuting(steep**2, 2 * steep**2)) == both
    assert gone(*commuting(even * (np.arange(LARGE) > 0), even)) == both, "without full rank"
    assert gone(*commuting(even, even)) == both, "no distance: all digits of the traces cancel"
    assert gone(*commuting(even[:200], even[:200] * 2)) == ["by_singular_values"], "a matter of milliseconds"
    x = np.random.default_rng(0).normal(size=(2, 900, LARGE)) * (np.arange(LARGE) > 4)
    assert gone(statistics(x[0]), statistics(2 * x[1])) == ["by_eigenvalues"], "without features that are dead in both"


@pytest.mark.parametrize("decades", range(0, 17, 2))
@pytest.mark.parametrize("rows", [LARGE, 100])
def test_the_bound_of_eigenvalues_holds(decades: int, rows: int) -> None:
    rng = np.random.default_rng(decades)
    roots = np.logspace(0, -decades / 2, LARGE)
    a, b = (rng.normal(size=(rows, LARGE)) * roots for _ in range(2))
    total, bound = _frechet.by_eigenvalues(a @ b.T)
    true = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    assert abs(total - true) <= bound + 1e-15 * true


def test_the_covariance_is_formed_only_where_it_can_be_told_from_a_singular_one(routes: list[str]) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 30))

    def gone(features: np.ndarray) -> list[str]:
        routes.clear()
        factor, covariance = statistics(features).factor, np.cov(features.T)
        np.testing.assert_allclose(factor.T @ factor, covariance, atol=1e-14 * np.trace(covariance))
        return list(routes)

    assert gone(x) == []
    assert gone(x * np.logspace(0, 12, 30)) == [], "units are no condition"
    assert gone(np.where(np.arange(30) % 7, x, 3)) == [], "dead features"
    assert gone(np.full((40, 5), 3.0)) == [], "nothing but dead features"
    assert gone(np.concatenate([x[:, 1:], x[:, 1:2] + 1e-7 * x[:, :1]], 1)) == ["orthogonal"], "two that agree"
    assert gone(x[:30]) == gone(x[:9]) == [], "no covariance of so few"


@pytest.mark.parametrize("n", [2, 5, 64, 65, 300])
def test_the_factor_gives_the_covariance_and_has_no_rows_to_spare(n: int) -> None:
    x = np.random.default_rng(3).normal(size=(n, 64)) + 5
    factor = statistics(x).factor
    assert factor.shape == (min(n - 1, 64), 64)
    np.testing.assert_allclose(factor.T @ factor, np.cov(x.T), atol=1e-13)


def test_equals_the_matrix_root_where_that_is_exact() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(500, 12)) @ rng.normal(size=(12, 12)), rng.normal(1, 2, size=(400, 12))
    cx, cy = np.cov(x.T), np.cov(y.T)
    root = sqrtm(cx @ cy).real
    expected = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(cx + cy - 2 * root)
    assert distance(statistics(x), statistics(y)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("n", "d", "tolerance"), [(800, 64, 1e-9), (900, LARGE, 1e-9), (200, 300, 1e-4), (50, 64, 1e-4)]
)
def test_equals_torch_fidelity(n: int, d: int, tolerance: float) -> None:
    """Where images are fewer than dimensions, roots of eigenvalues that should be 0 add up to its error."""
    rng = np.random.default_rng(4)
    mix = rng.normal(size=(d, d)) / np.sqrt(d)
    x, y = (np.maximum(rng.normal(size=(n, d)) @ mix + shift, 0) for shift in (0.0, 0.2))
    ours = distance(statistics(x), statistics(y))
    assert ours == pytest.approx(by_theirs(x, y), rel=tolerance)
    assert ours == pytest.approx(reference(x, y), rel=1e-10)


@pytest.mark.parametrize("n", [2, 5, 64, 300, 700])
def test_a_set_against_itself_is_zero_also_with_fewer_images_than_dimensions(n: int) -> None:
    x = np.random.default_rng(2).normal(size=(n, LARGE)).astype(np.float32) * 100
    scale = 2 * np.square(statistics(x).factor).sum()
    assert abs(distance(statistics(x), statistics(x))) < 1e-12 * scale
    assert abs(distance(statistics(x), statistics(x[::-1]))) < 1e-12 * scale


features = st.shared(array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=12), key="shape").flatmap(
    lambda shape: arrays(np.float32, shape, elements=st.floats(-1e4, 1e4, width=32))
)


@settings(max_examples=200, deadline=None)
@given(features, features)
def test_any_two_sets_have_a_distance_that_is_real_symmetric_and_not_negative(x: np.ndarray, y: np.ndarray) -> None:
    a, b = statistics(x), statistics(y)
    there, back = distance(a, b), distance(b, a)
    scale = np.square(a.factor).sum() + np.square(b.factor).sum() + np.square(a.mean - b.mean).sum()
    assert np.isfinite(there)
    assert there >= -1e-12 * scale
    assert there == pytest.approx(back, abs=1e-12 * scale)
    assert there == pytest.approx(reference(x, y), abs=1e-12 * scale)


def test_the_bias_is_estimated_from_halves() -> None:
    """Of n images from the real distribution all of the distance is bias: about d/n + d²/4n for N(0, I), d ≪ n."""
    n, d, rng = 400, 20, np.random.default_rng(0)
    real = Gaussian(np.zeros(d), np.eye(d))
    estimates, values = [], []
    for seed in range(20):
        x = rng.normal(size=(n, d))
        values.append(distance(statistics(x), real))
        estimates.append(bias_estimate(x, real, values[-1], seed))
    assert np.mean(values) == pytest.approx(d / n + d**2 / 4 / n, rel=0.1)
    assert np.mean(estimates) == pytest.approx(np.mean(values), rel=0.1)
    assert bias_estimate(np.zeros((3, 2)), Gaussian(np.zeros(2), np.eye(2)), 0.0, 0) is None


def test_one_image_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="at least two"):
        statistics(np.zeros((1, 4)))
