from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genpipe.metrics import _distances, _nearest
from genpipe.metrics._nearest import nearest_others


def by_brute_force(points: np.ndarray, k: int) -> np.ndarray:
    x = points.astype(np.float64)
    squared = np.square(x[:, None] - x[None]).sum(-1)
    np.fill_diagonal(squared, np.inf)
    return np.sort(squared, axis=1)[:, :k]


def settled(points: np.ndarray, k: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many points were left for float32, for float64 and for differences with all others."""
    left = []

    def noted(search: Callable) -> Callable:
        return lambda points, few, count: (left.append(len(few)), search(points, few, count))[1]

    for name in ("_by_float32", "_by_float64", "_by_differences"):
        monkeypatch.setattr(_nearest, name, noted(getattr(_nearest, name)))
    np.testing.assert_allclose(nearest_others(points, k), by_brute_force(points, k), rtol=1e-12)
    monkeypatch.undo()
    return left


def test_each_precision_settles_what_it_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    modes = np.repeat(rng.normal(size=(20, 16)), 15, axis=0)
    n = len(modes)
    assert settled(rng.normal(size=(n, 16)).astype("f"), 5, monkeypatch) == [n]
    assert settled(modes.astype("f"), 5, monkeypatch) == [n], "no distance is below that of duplicates"
    assert settled((modes + 1e-4 * rng.normal(size=(n, 16))).astype("f"), 5, monkeypatch) == [n, n]
    last_digits = modes * (1 + 1e-7 * rng.integers(-2, 3, (n, 16)))
    assert settled(last_digits.astype("f"), 5, monkeypatch)[2] > 0
    assert settled(rng.normal(size=(7, 16)), 5, monkeypatch) == [7], "all others are candidates"


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(1).normal(size=(53, 5))
    whole = nearest_others(points, 4)
    for block in (1, 3, 7, 52):
        monkeypatch.setattr(_distances, "_BLOCK", block)
        np.testing.assert_allclose(nearest_others(points, 4), whole, rtol=1e-12)


@settings(max_examples=100, deadline=None)
@given(arrays(np.float32, st.tuples(st.integers(4, 30), st.integers(1, 4)), elements=st.floats(-100, 100, width=32)))
def test_any_points(points: np.ndarray) -> None:
    np.testing.assert_allclose(nearest_others(points, 3), by_brute_force(points, 3), rtol=1e-12)
