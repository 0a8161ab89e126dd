"""Disentanglement, against brute force and codes of which it is known."""

from itertools import product
from math import log

import numpy as np
import pytest
import torch

from genpipe.analyses._disentangling import dci, importances, mig, mutual_information, sap
from genpipe.analyses.disentanglement import Disentanglement
from genpipe.errors import Unsuitable
from tests.analyses._toys import Bands, Coded, context, rotation


def brute_force_information(a: list[int], b: list[int]) -> float:
    """Σ p(a, b) log p(a, b) / p(a) p(b), with every probability counted anew."""
    n, total = len(a), 0.0
    for x, y in product(set(a), set(b)):
        both = sum(p == x and q == y for p, q in zip(a, b, strict=True)) / n
        if both:
            total += both * log(both / ((a.count(x) / n) * (b.count(y) / n)))
    return total


def test_information_is_that_of_brute_force() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        a, b = rng.integers(0, 3, 40), rng.integers(0, 4, 40)
        assert mutual_information(a, b) == pytest.approx(brute_force_information(a.tolist(), b.tolist()))
    assert mutual_information(a, a) == pytest.approx(-sum(p * log(p) for p in np.bincount(a) / 40))


def test_the_gap_is_that_of_brute_force_on_discrete_codes() -> None:
    rng = np.random.default_rng(1)
    v, w = rng.integers(0, 3, 60), rng.integers(0, 2, 60)
    z = np.stack([v + (rng.random(60) < 0.2), w, rng.integers(0, 4, 60)], axis=1).astype(float)
    for name, factor in (("v", v), ("w", w)):
        told = sorted((brute_force_information(column.tolist(), factor.tolist()) for column in z.T), reverse=True)
        expected = (told[0] - told[1]) / brute_force_information(factor.tolist(), factor.tolist())
        assert mig(z, {"v": v, "w": w}, bins=4)[name] == pytest.approx(expected)


@pytest.fixture
def discrete() -> dict[str, np.ndarray]:
    """Every combination of three factors, equally often."""
    grid = np.array(list(product(range(3), range(4), range(2))) * 20)
    return {"a": grid[:, 0], "b": grid[:, 1], "c": grid[:, 2]}


def test_factorised_codes_are_disentangled_and_mixed_ones_are_not(discrete: dict[str, np.ndarray]) -> None:
    z = np.stack(list(discrete.values()), axis=1).astype(float)
    mixed = z @ (np.eye(3) - 2 / 3)  # a reflection that mixes all three
    gaps, rotated = (mig(codes, discrete, 20) for codes in (z, mixed))
    assert list(gaps.values()) == pytest.approx([1, 1, 1])
    assert np.mean(list(rotated.values())) < 0.4
    order = np.random.default_rng(0).permutation(len(z))
    shuffled = {name: values[order] for name, values in discrete.items()}
    straight, turned = (dci(importances(codes[order], shuffled, trees=5, seed=0)[0]) for codes in (z, mixed))
    assert min(straight) > 0.95
    assert max(turned) < 0.7


def test_sap_is_the_gap_of_accuracies_and_of_squared_correlations() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((500, 3))
    found = sap(z, {"line": 2 * z[:, 0] + 1, "side": (z[:, 1] > 0).astype(int)}, seed=0)
    r2 = sorted((np.corrcoef(z[:, 0], column)[0, 1] ** 2 for column in z.T), reverse=True)
    assert found["line"] == pytest.approx(r2[0] - r2[1])
    assert 0.35 < found["side"] < 0.51, "one code tells all, the others half"


def test_dci_by_hand() -> None:
    assert dci(np.eye(3)) == pytest.approx((1, 1))
    assert dci(np.ones((4, 4))) == pytest.approx((0, 0))
    pure, complete = dci(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 2.0]]))
    assert pure == pytest.approx(1), "each code tells of one factor"
    assert complete == pytest.approx(1 - 0.5 * log(2) / log(3)), "two codes share a factor that is half of all"


def test_the_analysis_tells_straight_codes_from_turned_ones() -> None:
    config = Disentanglement.Config(factors=["first", "second"])
    straight, turned = (
        Disentanglement(config).run(context(Coded(mixing=m))).numbers for m in (torch.eye(2), rotation(45.0))
    )
    assert straight["mig"] > 0.6 > 0.2 > turned["mig"]
    assert straight["sap"] > 0.9 > 0.3 > turned["sap"]
    assert straight["dci_disentanglement"] > 0.9 > 0.3 > turned["dci_disentanglement"]
    assert straight["dci_informativeness"] > 0.95


def test_without_factors_it_is_refused() -> None:
    with pytest.raises(Unsuitable, match="no factors are known"):
        Disentanglement(Disentanglement.Config()).run(context(Coded(), factors=False))


def test_the_picture_names_the_factors() -> None:
    found = Disentanglement(Disentanglement.Config(trees=2)).run(context(Coded()))
    picture, caption = found.pictures["disentanglement"]
    assert picture.ndim == 3
    assert f"MIG {found.numbers['mig']:.3f}" in caption
    assert not issubclass(Bands, Disentanglement.requires)
