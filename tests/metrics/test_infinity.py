"""Scores of infinitely many images, where the true ones are known."""

from collections.abc import Callable

import numpy as np
import pytest

from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.metrics import fid_infinity, is_infinity
from genpipe.metrics._extrapolation import Sizes, at_infinity, fewest, sizes
from genpipe.metrics._frechet import Gaussian, distance, statistics
from genpipe.metrics._inception import unsplit

Made = Callable[..., FeatureSet]


def test_a_line_in_one_over_n_is_found_exactly() -> None:
    of_sizes = sizes(1000, 5, Sizes())
    assert at_infinity(lambda part: 3 + 700 / len(part), of_sizes, 0) == pytest.approx(3, rel=1e-9)


def test_every_size_is_the_mean_over_as_many_disjoint_subsets_as_there_are() -> None:
    looked_at: dict[int, list[np.ndarray]] = {}

    def score(part: np.ndarray) -> float:
        looked_at.setdefault(len(part), []).append(part)
        return 0.0

    at_infinity(score, [10, 30, 60, 100], 0)
    assert {size: len(parts) for size, parts in looked_at.items()} == {10: 10, 30: 3, 60: 1, 100: 1}
    for parts in looked_at.values():
        assert len(set(np.concatenate(parts))) == sum(map(len, parts))


def test_sizes_are_evenly_spaced_from_the_smallest_share_to_all() -> None:
    assert sizes(1000, 5, Sizes(points=4, smallest_share=0.25)) == [250, 500, 750, 1000]
    assert sizes(1000, 100, Sizes())[0] == 200, "two images a dimension at least"
    assert fewest(100) == 400, "which leaves a factor of two to extrapolate over"


def test_fid_of_infinitely_many_images_is_that_of_their_distribution() -> None:
    """N(0.1, I) against N(0, I): 0.01 a dimension. FID of so few images is far above."""
    d, n, rng = 16, 400, np.random.default_rng(0)
    real = Gaussian(np.zeros(d), np.eye(d))
    sets = [rng.normal(0.1, 1, (n, d)) for _ in range(30)]
    finite = [distance(statistics(x), real) for x in sets]
    infinite = [fid_infinity.score(x, real, 0, Sizes()) for x in sets]
    assert np.mean(finite) > 0.01 * d + d / n
    assert np.mean(infinite) == pytest.approx(0.01 * d, abs=3 * np.std(infinite) / np.sqrt(30))
    assert np.std(infinite) < 1.3 * np.std(finite)


def test_is_of_infinitely_many_images_is_that_of_their_distribution() -> None:
    """A classifier that is always sure, of ten classes equally often: 10."""
    rng = np.random.default_rng(1)
    sets = [np.eye(10)[rng.integers(0, 10, 200)] for _ in range(40)]
    finite, infinite = ([score(x) for x in sets] for score in (unsplit, lambda x: is_infinity.score(x, 0, Sizes())))
    assert np.mean(finite) < 9.85
    assert np.mean(infinite) == pytest.approx(10, abs=0.03)


def test_the_seed_decides_the_subsets() -> None:
    x, real = np.random.default_rng(2).normal(size=(100, 4)), Gaussian(np.zeros(4), np.eye(4))
    one, other = (fid_infinity.score(x, real, seed, Sizes()) for seed in (0, 1))
    assert one == fid_infinity.score(x, real, 0, Sizes()) != other


@pytest.mark.parametrize(("n", "given"), [(63, 0), (64, 1), (640, 1)])
def test_fewer_than_four_images_a_feature_give_no_score(seen: Made, n: int, given: int) -> None:
    images, kind = seen(n, 0), fid_infinity.FIDInfinity
    made = kind(kind.Config()).scores(images, Real(seen(50, 1), seen(50, 2)), "classifier", 0)
    assert len(made) == given
    assert [score.interval is not None for score in made.values()] == [n == 640] * given


@pytest.mark.parametrize(("n", "given"), [(19, 0), (20, 1), (200, 1)])
def test_fewer_than_four_images_a_class_give_no_score(seen: Made, n: int, given: int) -> None:
    images, kind = seen(n, 0), is_infinity.ISInfinity
    made = kind(kind.Config()).scores(images, Real(images, images), "classifier", 0)
    assert len(made) == given
    assert [score.interval is not None for score in made.values()] == [n == 200] * given
