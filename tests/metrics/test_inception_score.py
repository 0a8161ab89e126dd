import numpy as np
import pytest

from genpipe.metrics.inception_score import score, unsplit


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
