import numpy as np
import pytest
from scipy.stats import binomtest

from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.metrics._shares import wilson
from genpipe.metrics.label_accuracy import LabelAccuracy

METRIC = LabelAccuracy(LabelAccuracy.Config())


def evidence(read: list[int], asked: list[int] | None) -> FeatureSet:
    """Images of which a classifier of three classes, none too sure, reads these."""
    probabilities = np.full((len(read), 3), 0.3)
    probabilities[np.arange(len(read)), read] = 0.4
    labels = None if asked is None else np.array(asked)
    return FeatureSet(np.zeros((len(read), 1, 2, 2), np.uint8), np.zeros((len(read), 1)), probabilities, labels)


REAL = Real(evidence([0, 1, 2], [0, 1, 2]), evidence([0, 1, 1], [0, 1, 2]))


def test_it_is_the_share_of_images_that_are_read_as_asked() -> None:
    (score,) = METRIC.scores(evidence([0, 1, 2, 0], [0, 1, 2, 1]), REAL, "eyes", 0).items()
    assert score[0] == "label_accuracy_eyes"
    assert score[1].value == 0.75
    expected = binomtest(3, 4).proportion_ci(method="wilson")
    assert score[1].interval == pytest.approx((expected.low, expected.high))


def test_the_floor_is_the_accuracy_on_held_out_images() -> None:
    assert METRIC.scores(REAL.held_out, REAL, "eyes", 0)["label_accuracy_eyes"].value == pytest.approx(2 / 3)


def test_without_labels_or_probabilities_there_is_no_score() -> None:
    assert METRIC.scores(evidence([0, 1], None), REAL, "eyes", 0) == {}
    blind = FeatureSet(np.zeros((2, 1, 2, 2), np.uint8), np.zeros((2, 1)), None, np.array([0, 1]))
    assert METRIC.scores(blind, REAL, "eyes", 0) == {}


@pytest.mark.parametrize(("right", "n"), [(0, 20), (7, 10), (50, 50), (4321, 5000)])
def test_wilson_equals_scipys(right: int, n: int) -> None:
    expected = binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)
