from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
from torch_fidelity.metric_kid import kernel_mmd, kid_features_to_metric

from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.metrics import kid
from genpipe.metrics.kid import KID, Polynomial, mmd2, score

Made = Callable[..., FeatureSet]
THEIRS = {
    "kid_kernel": "poly",
    "kid_kernel_poly_degree": 3,
    "kid_kernel_poly_gamma": None,
    "kid_kernel_poly_coef0": 1.0,
    "verbose": False,
}


def sets(n: int, m: int, d: int, shift: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n + m + d)
    return rng.normal(size=(n, d)), rng.normal(shift, size=(m, d))


@pytest.mark.parametrize("kernel", [Polynomial(), Polynomial(degree=1), Polynomial(degree=4, gamma=0.3, coef0=0.0)])
def test_equals_brute_force(kernel: Polynomial) -> None:
    """Gretton et al. 2012, eq. 3, word for word."""
    x, y = sets(7, 9, 4)
    gamma = 1 / 4 if kernel.gamma is None else kernel.gamma

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return (gamma * float(a @ b) + kernel.coef0) ** kernel.degree

    in_x = sum(k(x[i], x[j]) for i, j in product(range(7), repeat=2) if i != j) / (7 * 6)
    in_y = sum(k(y[i], y[j]) for i, j in product(range(9), repeat=2) if i != j) / (9 * 8)
    across = sum(k(a, b) for a, b in product(x, y)) / (7 * 9)
    assert mmd2(x, y, kernel) == pytest.approx(in_x + in_y - 2 * across, rel=1e-12)


def test_equals_torch_fidelity_on_the_same_features() -> None:
    x, y = sets(200, 200, 32)
    assert mmd2(x, y) == pytest.approx(kernel_mmd(x, y, **THEIRS), rel=1e-10)


def test_draws_the_subsets_that_torch_fidelity_draws() -> None:
    x, y = sets(300, 250, 16)
    theirs = kid_features_to_metric(
        torch.from_numpy(x), torch.from_numpy(y), kid_subsets=20, kid_subset_size=100, rng_seed=7, **THEIRS
    )
    expected = theirs["kernel_inception_distance_mean"], theirs["kernel_inception_distance_std"]
    assert score(x, y, 20, 100, seed=7) == pytest.approx(expected, rel=1e-9)
    assert score(x, y, 20, 100, seed=8) != pytest.approx(expected, rel=1e-3)


def test_float32_features_lose_nothing() -> None:
    """In float32, as others have it, sums of cubes are off in the fourth digit of so small a distance."""
    x, y = (features.astype(np.float32) for features in sets(500, 500, 256, shift=0.01))
    exact = mmd2(x.astype(np.float64), y.astype(np.float64))
    assert mmd2(x, y) == pytest.approx(exact, rel=1e-12)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = sets(50, 40, 8)
    whole = mmd2(x, y)
    monkeypatch.setattr(kid, "_BLOCK", 7)
    assert mmd2(x, y) == pytest.approx(whole, rel=1e-12)


def test_no_bias_of_sets_from_one_distribution_however_few() -> None:
    rng = np.random.default_rng(0)
    values = [mmd2(rng.normal(size=(10, 6)), rng.normal(size=(12, 6))) for _ in range(400)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(400)
    assert min(values) < 0 < max(values)


def test_symmetric_and_the_same_in_every_order() -> None:
    x, y = sets(40, 60, 8)
    assert mmd2(x, y) == pytest.approx(mmd2(y, x), rel=1e-12)
    assert mmd2(x[::-1], y) == pytest.approx(mmd2(x, y), rel=1e-10)


def test_the_score_says_how_large_its_subsets_were(seen: Made) -> None:
    images, real = seen(60, 0, shift=0.3), Real(seen(40, 1), seen(40, 2))
    made = KID(KID.Config(subsets=10)).scores(images, real, "classifier", 0)
    kid_score, deviation = made["kid_classifier"], made["kid_classifier_std"]
    assert kid_score.how["subset_size"] == 40, "as many as the smaller set has"
    assert kid_score.how["interval_from"] == "10 disjoint subsets, Student's t"
    assert kid_score.interval is not None
    assert kid_score.interval[0] < kid_score.value < kid_score.interval[1]
    assert deviation.value > 0
