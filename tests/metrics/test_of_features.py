"""What holds of every score of features and of class probabilities."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from genpipe import registry
from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.metrics import Score
from genpipe.metrics import _balls, _frechet

Made = Callable[..., FeatureSet]
NAMES = ["fid", "fid_infinity", "inception_score", "is_infinity", "kid", "precision_recall"]
KNOBS: dict[str, dict[str, Any]] = {"kid": {"subsets": 10, "subset_size": 100}}


def scored(name: str, images: FeatureSet, real: Real) -> Mapping[str, Score]:
    kind = registry.load("metrics", name)
    return kind(kind.Config(**KNOBS.get(name, {}))).scores(images, real, "classifier", 3)


def reordered(images: FeatureSet, seed: int) -> FeatureSet:
    order = np.random.default_rng(seed).permutation(len(images.images))
    assert images.probabilities is not None
    return replace(
        images,
        images=images.images[order],
        features=images.features[order],
        probabilities=images.probabilities[order],
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_images_changes_nothing(seen: Made, name: str) -> None:
    images, training = seen(700, 0, shift=0.2), seen(800, 1)
    one = scored(name, images, Real(training, training))
    other = scored(name, reordered(images, 2), Real(reordered(training, 3), training))
    assert one.keys() == other.keys() != set()
    for key, score in one.items():
        assert other[key].value == pytest.approx(score.value, rel=1e-5)
        assert (other[key].interval or ()) == pytest.approx(score.interval or (), rel=1e-5)
        assert other[key].how.get("bias_estimate", 0.0) == pytest.approx(score.how.get("bias_estimate", 0.0), rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_score_lies_in_its_interval_which_says_where_it_comes_from(seen: Made, name: str) -> None:
    for key, score in scored(name, seen(700, 0, shift=0.2), Real(seen(800, 1), seen(10, 2))).items():
        if not key.endswith("_std"):
            assert score.interval is not None, key
            assert score.interval[0] < score.value < score.interval[1], key
            assert score.how["interval_from"] == "10 disjoint subsets, Student's t", key


@pytest.mark.parametrize("n", [1, 2, 3, 6, 12, 25])
@pytest.mark.parametrize("name", NAMES)
def test_a_handful_of_images_gives_a_number_or_nothing(seen: Made, name: str, n: int) -> None:
    for images, training in ((seen(n, 0), seen(50, 1)), (seen(50, 0), seen(n, 1)), (seen(n, 0), seen(n, 0))):
        for score in scored(name, images, Real(training, training)).values():
            assert np.isfinite(score.value)
            assert score.interval is None or np.isfinite(score.interval).all()


@pytest.mark.parametrize("name", NAMES)
def test_one_image_over_and_over_gives_numbers(seen: Made, name: str) -> None:
    images, training = seen(1, 0), seen(300, 1)
    assert images.probabilities is not None
    same = FeatureSet(
        *(np.repeat(what, 300, axis=0) for what in (images.images, images.features, images.probabilities))
    )
    made = scored(name, same, Real(training, training))
    assert made
    assert np.isfinite([score.value for score in made.values()]).all()


@pytest.mark.parametrize("name", ["fid", "kid"])
def test_farther_images_score_worse_and_the_interval_tells_them_apart(seen: Made, name: str) -> None:
    real = Real(seen(800, 1), seen(10, 2))
    near, far = (scored(name, seen(700, 5, shift=shift), real)[f"{name}_classifier"] for shift in (0.0, 0.5))
    assert near.interval is not None
    assert far.interval is not None
    assert near.interval[1] < far.interval[0]


@pytest.mark.parametrize(
    ("name", "room", "maker"), [("fid", _frechet, "statistics"), ("precision_recall", _balls, "nearest_others")]
)
def test_the_real_side_is_made_once(
    seen: Made, monkeypatch: pytest.MonkeyPatch, name: str, room: Any, maker: str
) -> None:
    made: list[int] = []
    make = getattr(room, maker)
    monkeypatch.setattr(room, maker, lambda features, *how: (made.append(len(features)), make(features, *how))[1])
    real = Real(seen(90, 1), seen(40, 2))
    for images in (seen(80, 0), real.held_out):
        scored(name, images, real)
    assert made.count(90) == 1
    scored(name, seen(80, 0), Real(seen(90, 3), seen(40, 4)))
    assert made.count(90) == 2, "others are others, however alike"
