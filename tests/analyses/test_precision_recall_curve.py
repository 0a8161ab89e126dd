from typing import Any

import numpy as np
import pytest

from genpipe.analyses.precision_recall_curve import PrecisionRecallCurve, covered, curve
from genpipe.errors import Unsuitable


def by_hand(queries: np.ndarray, points: np.ndarray, k: int) -> float:
    """One query and one point at a time."""
    radii = [sorted(np.linalg.norm(points - p, axis=1))[k] for p in points]
    inside = [any(np.linalg.norm(q - p) <= r for p, r in zip(points, radii, strict=True)) for q in queries]
    return float(np.mean(inside))


def test_coverage_equals_brute_force() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 3)), 1.5 * rng.standard_normal((50, 3)) + 0.5
    np.testing.assert_allclose(covered(y, x, 6), [by_hand(y, x, k) for k in range(1, 7)])
    precision, recall = curve(x, y, 6)
    np.testing.assert_allclose(precision, covered(y, x, 6))
    np.testing.assert_allclose(recall, covered(x, y, 6))


def test_points_on_a_line() -> None:
    points, queries = np.array([[0.0], [1.0], [3.0], [7.0]]), np.array([[-1.5], [4.5], [14.0]])
    # first neighbors lie at 1, 1, 2, 4 and second ones at 3, 2, 3, 6
    np.testing.assert_allclose(covered(queries, points, 2), [1 / 3, 2 / 3])


def test_one_mode_of_two_has_precision_and_half_the_recall(make: Any, random_images: Any) -> None:
    dark, bright = random_images(120, 0) // 4, 255 - random_images(120, 1) // 4
    both = np.concatenate([dark, bright])
    context = make(dark[:60], both[1::2], both[::2])
    found = PrecisionRecallCurve(PrecisionRecallCurve.Config(most_neighbors=5)).run(context)
    assert found.numbers == {}
    picture, caption = found.pictures["precision_recall_curve"]
    assert picture.shape == (800, 800, 3)
    assert "of 60 samples as the neighborhood grows from k = 1 to 5" in caption
    precision, recall = curve(context.real.training.features, context.samples.features, 5)
    assert precision[4] > 0.9
    assert recall[4] == pytest.approx(0.5, abs=0.02)


def test_more_neighbors_than_images_are_refused(make: Any, random_images: Any) -> None:
    context = make(*(random_images(10, seed) for seed in range(3)))
    with pytest.raises(Unsuitable, match="of 10 images none has 10 neighbors"):
        PrecisionRecallCurve(PrecisionRecallCurve.Config()).run(context)
