from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from genpipe.analyses.class_histogram import ClassHistogram, different, divergence, in_bins, shown
from genpipe.errors import Unsuitable


def test_predicted_classes_are_counted_and_empty_ones_too() -> None:
    probabilities = np.array([[0.2, 0.5, 0.3], [0.1, 0.8, 0.1], [0.6, 0.2, 0.2]])
    np.testing.assert_array_equal(shown(probabilities), [1, 2, 0])


def test_the_divergence_of_histograms_is_in_nats() -> None:
    assert divergence(np.array([5, 5]), np.array([300, 300])) == 0
    assert divergence(np.array([8, 0]), np.array([50, 50])) == pytest.approx(np.log(2))
    assert divergence(np.array([0, 4]), np.array([3, 0])) == pytest.approx(np.log(4)), "as if one image were there"


def test_shares_differ_where_the_test_of_two_proportions_says_so() -> None:
    # by hand for the first bin: pooled 0.45, error 0.0352, difference 0.1, so z = 2.84
    assert different(np.array([200, 200]), np.array([200, 300])).tolist() == [True, True]
    # 0.5 and 0.45, z = 1.42
    assert different(np.array([200, 200]), np.array([180, 220])).tolist() == [False, False]
    assert different(np.array([0, 10]), np.array([0, 10])).tolist() == [False, False]


def test_equally_distributed_images_differ_in_about_one_of_twenty_bins() -> None:
    rng = np.random.default_rng(0)
    share = rng.dirichlet(np.full(50, 5.0))
    counts = [(rng.multinomial(4000, share), rng.multinomial(2000, share)) for _ in range(100)]
    assert np.mean([different(real, fake).mean() for real, fake in counts]) == pytest.approx(0.05, abs=0.01)


def of_two_kinds(n: int, share: float) -> np.ndarray:
    """Images that are bright above or, a share of them, below, with a little noise."""
    images = np.random.default_rng(n).integers(0, 20, (n, 1, 8, 8), dtype=np.uint8)
    images[: round(n * share), :, 4:] += 200
    images[round(n * share) :, :, :4] += 200
    return images


def test_a_lost_class_and_a_lost_bin_are_seen(make: Any) -> None:
    context = make(of_two_kinds(300, 0), of_two_kinds(400, 0.5), of_two_kinds(200, 0.5))
    found = ClassHistogram(ClassHistogram.Config(bins=2)).run(context)
    assert found.numbers == {"classes_hit": 1, "class_kl_nats": pytest.approx(np.log(2)), "ndb": 2}
    picture, caption = found.pictures["class_histogram"]
    assert picture.shape == (600, 1920, 3)
    assert "1 of 2 classes" in caption
    assert "that of held-out images does in 0." in caption
    real, fake, unseen = in_bins(context, 2)
    assert (sorted(real), sorted(fake), sorted(unseen)) == ([200, 200], [0, 300], [100, 100])


def test_without_classes_the_bins_are_left(make: Any) -> None:
    context = make(of_two_kinds(100, 0.5), of_two_kinds(100, 0.5), of_two_kinds(50, 0.5))
    blind = replace(context, samples=replace(context.samples, probabilities=None))
    found = ClassHistogram(ClassHistogram.Config(bins=2)).run(blind)
    assert found.numbers == {"ndb": 0}
    assert found.pictures["class_histogram"][0].shape == (600, 960, 3)
    with pytest.raises(Unsuitable, match="set its `bins` above 0"):
        ClassHistogram(ClassHistogram.Config(bins=0)).run(blind)
    with pytest.raises(Unsuitable, match="100 training images make no 101 bins"):
        ClassHistogram(ClassHistogram.Config(bins=101)).run(blind)
