import numpy as np
import pytest
from scipy import stats

from genpipe.metrics._subsets import disjoint, interval


def test_every_number_is_in_one_subset_and_sizes_differ_by_one_at_most() -> None:
    groups = disjoint(103, 10, 4)
    assert sorted(np.concatenate(groups)) == list(range(103))
    assert {len(group) for group in groups} == {10, 11}
    np.testing.assert_array_equal(groups[3], disjoint(103, 10, 4)[3])
    assert not np.array_equal(groups[3], disjoint(103, 10, 5)[3])


def test_the_interval_is_that_of_student() -> None:
    scores = np.random.default_rng(0).normal(3, 2, 7)
    expected = stats.t.interval(0.95, 6, loc=5, scale=stats.sem(scores))
    assert interval(5.0, scores) == pytest.approx(expected, rel=1e-12)


def test_it_holds_the_true_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    draws = rng.normal(2, 1, (4000, 5))
    held = [low <= 2 <= high for low, high in (interval(float(row.mean()), row) for row in draws)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.01)


def test_too_few() -> None:
    with pytest.raises(ValueError, match="3 images cannot be cut into 4 subsets"):
        disjoint(3, 4, 0)
    with pytest.raises(ValueError, match="at least two are needed"):
        interval(1.0, [1.0])
