from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage, stats

from genpipe.analyses import _disturbances
from genpipe.analyses._ranks import rank_correlation
from genpipe.analyses.metric_sensitivity import MetricSensitivity
from genpipe.errors import Unsuitable
from genpipe.interfaces.extractors import FeatureSet
from genpipe.metrics import _frechet, inception_score

KINDS = list(_disturbances.KINDS)


def disturbed(kind: str, seen: FeatureSet, level: float) -> np.ndarray:
    return _disturbances.KINDS[kind][1](seen, level, np.random.default_rng(3))


@pytest.fixture
def some(make: Any, random_images: Any) -> FeatureSet:
    return make(*(random_images(400, seed) for seed in range(3))).samples


@pytest.mark.parametrize("kind", KINDS)
def test_level_nought_changes_nothing_and_more_changes_more(some: FeatureSet, kind: str) -> None:
    np.testing.assert_array_equal(disturbed(kind, some, 0.0), some.images)
    images = [disturbed(kind, some, level).astype(int) for level in (0.4, 0.6, 0.9)]
    changes = [np.abs(x - some.images).mean() for x in images]
    assert 0 < changes[0] < changes[1] < changes[2]
    again = disturbed(kind, some, 0.6)
    assert again.dtype == np.uint8
    np.testing.assert_array_equal(again, images[1])


def test_noise_alone_spans_the_gray_values_as_a_gaussian(some: FeatureSet) -> None:
    noise = disturbed("noise", some, 1.0).astype(float)
    assert noise.mean() == pytest.approx(127.5, abs=1)
    assert noise.std() == pytest.approx(42.5, abs=1)


def test_blur_is_scipys_away_from_the_border() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 1, 64, 64), dtype=np.uint8)
    ours = disturbed("blur", FeatureSet(images, np.zeros((2, 1), "f")), 0.25)
    theirs = ndimage.gaussian_filter(images.astype(float), (0, 0, 2, 2), truncate=10)
    inside = (..., slice(20, 44), slice(20, 44))
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=0.51)
    flat = np.full((1, 1, 9, 7), 100, np.uint8)
    assert (disturbed("blur", FeatureSet(flat, np.zeros((1, 1), "f")), 1.0) == 100).all()


def test_salt_and_pepper_turns_that_share_of_the_pixels_in_all_channels_at_once() -> None:
    gray = FeatureSet(np.full((100, 3, 16, 16), 100, np.uint8), np.zeros((100, 1), "f"))
    images = disturbed("salt_and_pepper", gray, 0.3)
    assert (images == 0).mean() == pytest.approx(0.15, abs=0.01)
    assert (images == 255).mean() == pytest.approx(0.15, abs=0.01)
    assert (images == images[:, :1]).all()


def test_that_share_of_images_is_foreign(some: FeatureSet) -> None:
    images = disturbed("foreign", some, 0.25)
    changed = (images != some.images).any((1, 2, 3))
    assert changed.sum() == 100
    np.testing.assert_array_equal(images[changed][:, :, :4, :4], some.images[changed][:, :, 4:, 4:])
    more = (disturbed("foreign", some, 0.5) != some.images).any((1, 2, 3))
    assert (more | ~changed).all(), "what was foreign stays so"


def test_in_the_end_one_image_stands_for_its_class(some: FeatureSet) -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(5), len(some.images)).astype("f")
    images = disturbed("repeats", replace(some, probabilities=probabilities), 1.0)
    predicted = probabilities.argmax(1)
    for k in range(5):
        of_class = np.flatnonzero(predicted == k)
        assert (images[of_class] == some.images[of_class[probabilities[of_class, k].argmax()]]).all()
    with pytest.raises(Unsuitable, match="take it out of `kinds`"):
        disturbed("repeats", replace(some, probabilities=None), 0.5)


def test_rank_correlation_is_spearmans() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(30), rng.integers(0, 8, 30).astype(float)
    assert rank_correlation(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    rising = np.array([0.0, 1.0, 2.0])
    expected = {1: [1.0, 10.0, 11.0], -1: [3.0, 2.0, -9.0], 0: [5.0, 5.0, 5.0]}
    assert all(rank_correlation(rising, np.array(values)) == pytest.approx(r) for r, values in expected.items())


def test_scores_are_asked_of_disturbed_held_out_images_and_correlated(make: Any, random_images: Any) -> None:
    samples, training, held_out = (random_images(n, n) // 4 for n in (30, 200, 150))  # dark
    real = _frechet.statistics(make(samples, training, held_out).real.training.features)
    sizes = []

    def scorer(images: FeatureSet, metrics: Any) -> dict[str, float]:
        assert tuple(metrics) == ("fid", "inception_score")
        sizes.append(len(images.images))
        mean, deviation = inception_score.score(images.probabilities, 2, 0)
        return {
            "fid_x": _frechet.distance(_frechet.statistics(images.features), real),
            "is_x": mean,
            "is_x_std": deviation,
        }

    context = make(samples, training, held_out, scorer)
    knobs = MetricSensitivity.Config(kinds=["noise", "repeats"], levels=[0.0, 0.3, 0.6, 0.9], images=100)
    found = MetricSensitivity(knobs).run(context)
    assert sizes == [100] * 8
    assert found.numbers["metric_sensitivity_noise_fid_rank_correlation"] == pytest.approx(1)
    assert found.numbers["metric_sensitivity_repeats_fid_rank_correlation"] == pytest.approx(1)
    kinds = [f"metric_sensitivity_{kind}_{score}_rank_correlation" for kind in knobs.kinds for score in ("fid", "is")]
    assert list(found.numbers) == kinds
    assert found.pictures["metric_sensitivity"][0].shape == (680, 880, 3)
    images = found.pictures["disturbed_images"][0]
    assert images.shape == (4 * 10 + 2, 4 * 10 + 2, 1), "two rows for each kind, a column for each level"
    original, changed = images[2:10, 2:10], images[2:10, 12:20]
    assert original.tobytes() in {x.tobytes() for x in held_out}
    assert (original != changed).any()
    assert (images[22:30, 2:10] == original).all(), "the same images for each kind"


@pytest.mark.parametrize("levels", [[0.1, 0.2, 0.3], [0.0, 0.2, 0.2], [0.0, 0.5], [0.0, 0.5, 1.5]])
def test_levels_begin_with_nought_and_rise_to_one_at_most(levels: list[float]) -> None:
    with pytest.raises(ValidationError, match="levels"):
        MetricSensitivity.Config(levels=levels)
