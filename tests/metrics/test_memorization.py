import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.metrics import Metric, Score
from genpipe.metrics._copying import share_nearer, share_of_pairs_nearer
from genpipe.metrics.feature_memorization import FeatureMemorization
from genpipe.metrics.memorization import Memorization
from genpipe.nn.neighbors import flat, nearest


def evidence(images: np.ndarray) -> FeatureSet:
    return FeatureSet(images, flat(images)[:, ::3])


def sets(seed: int, *counts: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (n, 1, 4, 4), dtype=np.uint8) for n in counts]


def scored(metric: type[Metric], given: np.ndarray, training: np.ndarray, held_out: np.ndarray) -> dict[str, Score]:
    real = Real(evidence(training), evidence(held_out))
    return dict(metric(metric.Config()).scores(evidence(given), real, "classifier", 0))


@pytest.mark.parametrize(("metric", "ending"), [(Memorization, "pixels"), (FeatureMemorization, "features_classifier")])
def test_copies_are_found_and_unseen_images_are_not_taken_for_copies(metric: type[Metric], ending: str) -> None:
    training, held_out, fresh = sets(0, 200, 200, 200)
    found = {
        kind: {name: score.value for name, score in scored(metric, images, training, held_out).items()}
        for kind, images in {"copies": training[::-1].copy(), "fresh": fresh, "held out": held_out}.items()
    }
    share, pairs, distance = (f"{name}_{ending}" for name in ("memorization", "data_copying", "nearest_training"))
    assert found["copies"] == {share: 1.0, pairs: 1.0, distance: pytest.approx(0, abs=0.5)}
    assert found["fresh"][share] < 0.15
    assert found["fresh"][pairs] == pytest.approx(0.5, abs=0.1)
    assert found["held out"] == {share: 0.05, pairs: 0.5, distance: pytest.approx(found["fresh"][distance], rel=0.1)}


def test_the_share_of_pairs_is_the_statistic_of_mann_and_whitney() -> None:
    rng = np.random.default_rng(1)
    found, unseen = rng.integers(0, 30, 70).astype(float), rng.integers(5, 40, 90).astype(float)
    brute = (found[:, None] < unseen).mean() + (found[:, None] == unseen).mean() / 2
    assert share_of_pairs_nearer(found, unseen) == pytest.approx(brute, rel=1e-12)
    assert brute == pytest.approx(mannwhitneyu(unseen, found).statistic / (70 * 90), rel=1e-12)


def test_the_interval_of_fresh_images_holds_one_half_nearly_always() -> None:
    training = sets(2, 150)[0]
    held = 0
    for seed in range(40):
        low, high = scored(Memorization, *sets(100 + seed, 200), training, *sets(200 + seed, 150))[
            "data_copying_pixels"
        ].interval or (1, 0)
        held += low <= 0.5 <= high
    assert held >= 34


def test_the_order_of_images_changes_no_score_and_no_interval() -> None:
    given, training, held_out = sets(3, 60, 80, 70)
    forward = scored(Memorization, given, training, held_out)
    for name, score in scored(Memorization, given[::-1].copy(), training[::-1].copy(), held_out[::-1].copy()).items():
        assert score.value == pytest.approx(forward[name].value, rel=1e-5)
        assert score.interval == pytest.approx(forward[name].interval, rel=1e-4)


def test_the_share_nearer_made_by_hand() -> None:
    unseen = np.arange(1.0, 102)
    assert share_nearer(np.array([1.0, 11, 11.5, 50]), unseen, 0.1) == 0.5


def test_neighbors_equal_brute_force() -> None:
    rng = np.random.default_rng(1)
    queries, points = rng.integers(0, 256, (30, 1, 3, 3), np.uint8), rng.integers(0, 256, (50, 1, 3, 3), np.uint8)
    distances, which = nearest(flat(queries), flat(points), k=3)
    brute = np.linalg.norm(flat(queries)[:, None] - flat(points)[None], axis=2)
    np.testing.assert_allclose(distances, np.sort(brute, axis=1)[:, :3], rtol=1e-4)
    np.testing.assert_allclose(np.take_along_axis(brute, which, 1), distances, rtol=1e-4)
