from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch_fidelity.metric_isc import isc_features_to_metric

from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.metrics._inception import unsplit
from genpipe.metrics.inception_score import InceptionScore, score

Made = Callable[..., FeatureSet]


def test_a_table_made_by_hand() -> None:
    """p(y) = (½, ½); KL(p(y|x) ‖ p(y)) is ln 2 for sure images and 0 for unsure ones."""
    sure, unsure = [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]
    assert unsplit(np.array(sure)) == 2.0
    assert unsplit(np.array(unsure)) == 1.0
    assert unsplit(np.array(sure + unsure)) == pytest.approx(np.sqrt(2.0), rel=1e-15)
    table = np.array([[0.9, 0.1], [0.2, 0.8]])
    marginal = table.mean(0)
    expected = np.exp(np.mean([(row * np.log(row / marginal)).sum() for row in table]))
    assert unsplit(table) == pytest.approx(expected, rel=1e-15)


def test_constant_probabilities_score_one() -> None:
    assert score(np.full((100, 7), 1 / 7), 10, 0) == (pytest.approx(1.0, abs=1e-12), pytest.approx(0.0, abs=1e-12))


def test_a_perfect_classifier_of_sorted_classes_scores_as_of_shuffled_ones() -> None:
    one_hot = np.repeat(np.eye(10), 100, axis=0)
    mean, deviation = score(one_hot, 10, 0)
    assert 9.4 < mean < 9.9
    assert deviation < 0.2
    assert score(one_hot, 1, 0) == (pytest.approx(10.0), 0.0)


def test_the_seed_decides_the_splits() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(5), 100)
    assert score(p, 10, 1) == score(p, 10, 1) != score(p, 10, 2)


def test_fewer_images_than_splits() -> None:
    with pytest.raises(ValueError, match="3 images cannot be cut into 10 splits"):
        score(np.full((3, 2), 0.5), 10, 0)


@pytest.mark.parametrize(("n", "splits"), [(200, 10), (205, 10), (30, 1)])
def test_equals_torch_fidelity_with_its_seed(n: int, splits: int) -> None:
    logits = torch.from_numpy(np.random.default_rng(1).normal(0, 3, (n, 7)))
    theirs = isc_features_to_metric(logits, splits, shuffle=True, rng_seed=5)
    expected = theirs["inception_score_mean"], theirs["inception_score_std"]
    assert score(logits.softmax(1).numpy(), splits, seed=5) == pytest.approx(expected, rel=1e-9)


def test_constant_logits_in_float32_score_one() -> None:
    logits = torch.full((1000, 1008), 3.7)
    assert score(logits.softmax(1).numpy(), 10, 0)[0] == pytest.approx(1, abs=1e-6)


def test_the_splits_are_the_subsets_of_the_interval(seen: Made) -> None:
    images = seen(100, 0)
    made = InceptionScore(InceptionScore.Config(splits=4)).scores(images, Real(images, images), "classifier", 0)
    whole, deviation = made["is_classifier"], made["is_classifier_std"]
    assert whole.interval is not None
    half = 3.182446 * deviation.value * np.sqrt(4 / 3) / np.sqrt(4)
    assert whole.interval == pytest.approx((whole.value - half, whole.value + half), rel=1e-5)


@pytest.mark.parametrize(("n", "splits"), [(7, 4), (9, 1)])
def test_splits_of_one_image_or_a_single_split_have_no_interval(seen: Made, n: int, splits: int) -> None:
    images = seen(n, 0)
    made = InceptionScore(InceptionScore.Config(splits=splits)).scores(images, Real(images, images), "classifier", 0)
    assert made["is_classifier"].interval is None
    assert "interval_from" not in made["is_classifier"].how
