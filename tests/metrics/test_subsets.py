import numpy as np
import pytest
from scipy import stats

from genpipe.metrics._subsets import by_content, disjoint, disjoint_pairs, interval, origin


@pytest.mark.parametrize(("n", "subsets"), [(100, 10), (109, 10), (20, 10), (7, 3)])
def test_subsets_are_disjoint_of_equal_size_and_drawn_by_the_seed(n: int, subsets: int) -> None:
    parts = disjoint(n, subsets, 0)
    assert [len(part) for part in parts] == [n // subsets] * subsets
    assert len(set(np.concatenate(parts))) == n // subsets * subsets
    assert set(np.concatenate(parts)) <= set(range(n))
    assert not np.array_equal(parts, disjoint(n, subsets, 1))
    np.testing.assert_array_equal(parts, disjoint(n, subsets, 0))


def test_too_few_images_make_no_subsets() -> None:
    assert disjoint(19, 10, 0) == []
    assert disjoint(59, 10, 0, least=6) == []
    assert len(disjoint(60, 10, 0, least=6)) == 10
    assert disjoint_pairs(60, 59, 10, 0, least=6) == []
    assert [(len(i), len(j)) for i, j in disjoint_pairs(40, 60, 10, 0)] == [(4, 6)] * 10


def test_the_interval_is_students() -> None:
    values = [1.0, 2.0, 4.0, 5.0]
    expected = stats.t.interval(0.95, df=3, loc=10.0, scale=stats.sem(values))
    assert interval(10.0, values) == pytest.approx(expected, rel=1e-12)
    assert interval(3.0, [2.0, 2.0]) == (3.0, 3.0)


def test_one_subset_says_nothing() -> None:
    assert interval(1.0, []) is None
    assert interval(1.0, [1.0]) is None
    assert origin([1.0]) == {}


def test_the_interval_of_a_mean_holds_the_truth_19_times_in_20() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        x = rng.exponential(size=500)
        low, high = interval(x.mean(), [float(x[part].mean()) for part in disjoint(500, 10, 0)]) or (2.0, 0.0)
        held += low <= 1 <= high
    assert 0.92 < held / 400 < 0.98


def test_the_order_by_content_is_that_of_the_pixels() -> None:
    images = np.random.default_rng(0).integers(0, 3, (50, 2, 2, 1), dtype=np.uint8)
    shuffled = images[np.random.default_rng(1).permutation(50)]
    np.testing.assert_array_equal(images[by_content(images)], shuffled[by_content(shuffled)])
    assert sorted(by_content(images)) == list(range(50))


def test_an_interval_ends_where_the_scale_does() -> None:
    assert interval(0.9, [0.7, 0.9, 1.0], 0.0, 1.0) == (
        pytest.approx(0.9 - 4.302653 * np.std([0.7, 0.9, 1.0], ddof=1) / 3**0.5),
        1.0,
    )
    assert interval(0.0, [0.0, 0.1], 0.0)[0] == 0.0  # type: ignore[index]
