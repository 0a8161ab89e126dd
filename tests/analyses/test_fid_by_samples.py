from typing import Any

import numpy as np
import pytest

from genpipe.analyses.fid_by_samples import FIDBySamples, cut, extrapolated
from genpipe.errors import Unsuitable
from genpipe.interfaces.extractors import FeatureSet
from genpipe.metrics import _frechet


@pytest.mark.parametrize("subsets", ["disjoint", "nested"])
def test_a_score_of_a_plus_b_by_n_is_extrapolated_to_a(make: Any, random_images: Any, subsets: str) -> None:
    asked: list[np.ndarray] = []

    def scorer(images: FeatureSet, metrics: Any) -> dict[str, float]:
        assert tuple(metrics) == ("fid",)
        asked.append(images.images)
        return {"fid_x_infinite": 0.0, "fid_x": 3.0 + 50 / len(images.images)}

    context = make(random_images(200, 0), random_images(9, 1), random_images(9, 2), scorer)
    found = FIDBySamples(FIDBySamples.Config(sizes=4, smallest_share=0.25, subsets=subsets)).run(context)
    assert found.numbers == {"fid_x_infinite_samples": pytest.approx(3)}
    assert "3 at infinitely many samples" in found.pictures["fid_by_samples"][1]
    sizes = [len(images) for images in asked]
    assert sizes == ([50] * 4 + [100] * 2 + [150, 200] if subsets == "disjoint" else [50, 100, 150, 200])
    first, *_ = asked
    assert (asked[-1][:50] == first).all(), "smaller subsets lie within larger ones, from one shuffled order"
    assert not (context.samples.images[:50] == first).all()


def test_the_extrapolated_distance_of_two_equal_gaussians_is_near_that_of_infinitely_many() -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((4000, 16)) for _ in range(2))
    real, sizes = _frechet.statistics(x), np.arange(400, 4001, 400)
    groups = {n: cut(np.arange(4000), int(n)) for n in sizes}
    values = np.array([np.mean([_frechet.distance(_frechet.statistics(y[g]), real) for g in groups[n]]) for n in sizes])
    limit, slope = extrapolated(sizes, values)
    assert slope > 0
    assert limit < 0.25 * values[0], "what is left is the bias of the real side"


def test_disjoint_groups_share_nothing() -> None:
    groups = cut(np.arange(10), 3)
    assert [g.tolist() for g in groups] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_without_the_metric_it_says_what_to_do(make: Any, random_images: Any) -> None:
    context = make(*(random_images(20, seed) for seed in range(3)))
    with pytest.raises(Unsuitable, match=r"no score is called fid_….*evaluate\.metrics"):
        FIDBySamples(FIDBySamples.Config()).run(context)
