from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from genpipe.interfaces.extractors import Extractor, FeatureSet, Real
from genpipe.metrics._shares import wilson
from genpipe.metrics.classification_accuracy_score import ClassificationAccuracyScore, accuracy


class NearestMean(Extractor):
    """Sees the class whose mean training image is the nearest."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        rows = images.reshape(len(images), -1).astype(np.float64)
        absent = np.full(rows.shape[1], np.inf)
        self.means = np.array([rows[labels == k].mean(0) if (labels == k).any() else absent for k in range(3)])

    def extract(self, images: np.ndarray) -> FeatureSet:
        rows = images.reshape(len(images), -1).astype(np.float64)
        nearest = np.square(rows[:, None] - self.means).sum(2).argmin(1)
        return FeatureSet(images, rows, np.eye(3)[nearest])

    def described(self) -> dict[str, object]:
        return {}


def pictures(labels: np.ndarray, seed: int) -> FeatureSet:
    """Dark, gray and bright images that overlap a little."""
    noise = np.random.default_rng(seed).normal(0, 25, (len(labels), 1, 2, 2))
    images = (labels[:, None, None, None] * 80.0 + 48 + noise).clip(0, 255).astype(np.uint8)
    return FeatureSet(images, np.zeros((len(labels), 1)), labels=labels)


def lessons(taught: list[tuple[int, int]]) -> Callable[[np.ndarray, np.ndarray, int], Extractor]:
    """A teacher that notes how many images it was given, and with which seed."""

    def teach(images: np.ndarray, labels: np.ndarray, seed: int) -> Extractor:
        taught.append((len(images), seed))
        return NearestMean(images, labels)

    return teach


LABELS = np.arange(300) % 3
TAUGHT: list[tuple[int, int]] = []
REAL = Real(pictures(LABELS[:240], 1), pictures(LABELS, 2), lessons(TAUGHT))


@pytest.fixture(autouse=True)
def _nobody_taught_yet() -> None:
    TAUGHT.clear()


def metric(**knobs: int | bool) -> ClassificationAccuracyScore:
    return ClassificationAccuracyScore(ClassificationAccuracyScore.Config(**knobs))


def test_samples_like_the_data_teach_as_well_as_the_data() -> None:
    made = metric().scores(pictures(LABELS[:150], 3), REAL, "classifier", 7)
    floor = metric().scores(REAL.held_out, REAL, "classifier", 7)
    assert TAUGHT == [(150, 7), (390, 7), (240, 7)]
    assert made["cas_classifier"].value == pytest.approx(floor["cas_classifier"].value, abs=0.02)
    assert made["cas_classifier"].value > 0.95
    assert list(made) == list(floor) == ["cas_classifier", "cas_with_real_classifier"]


def test_held_out_images_teach_nothing_that_is_asked_of_them() -> None:
    """In place of samples they would be exam and lesson in one; so the training images do the teaching."""
    expected = accuracy(NearestMean(REAL.training.images, LABELS[:240]), REAL.held_out)
    assert {s.value for s in metric().scores(REAL.held_out, REAL, "classifier", 0).values()} == {expected}


def test_a_missing_class_and_confused_labels_cost_a_third_and_all() -> None:
    without = pictures(np.arange(200) % 2, 3)
    assert metric().scores(without, REAL, "classifier", 0)["cas_classifier"].value == pytest.approx(2 / 3, abs=0.04)
    shifted = replace(pictures(LABELS, 3), labels=(LABELS + 1) % 3)
    assert metric().scores(shifted, REAL, "classifier", 0)["cas_classifier"].value < 0.05


def test_one_classifier_has_the_interval_of_wilson_and_several_that_between_them() -> None:
    samples = pictures(LABELS, 3)
    one = metric(with_real=False).scores(samples, REAL, "classifier", 0)
    assert one["cas_classifier"].interval == pytest.approx(wilson(one["cas_classifier"].value, 300))
    several = metric(with_real=False, seeds=3).scores(samples, REAL, "classifier", 5)
    assert TAUGHT[1:] == [(300, 5), (300, 6), (300, 7)]
    assert several["cas_classifier"].interval == pytest.approx([one["cas_classifier"].value] * 2)
    assert several["cas_classifier"].how == {"classifiers": 3}


def test_without_labels_or_a_teacher_there_is_no_score() -> None:
    samples = pictures(LABELS, 3)
    assert metric().scores(replace(samples, labels=None), REAL, "classifier", 0) == {}
    assert metric().scores(samples, replace(REAL, train_extractor=None), "classifier", 0) == {}
    assert TAUGHT == []
