import numpy as np
import pytest

from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.metrics import Score
from genpipe.metrics.ms_ssim import MSSSIMDiversity, pairs_within


def scored(images: np.ndarray, labels: np.ndarray | None = None, pairs: int = 100) -> dict[str, Score]:
    evidence = FeatureSet(images, np.zeros((len(images), 1), np.float32), labels=labels)
    metric = MSSSIMDiversity(MSSSIMDiversity.Config(pairs=pairs))
    return dict(metric.scores(evidence, Real(evidence, evidence), "classifier", 5))


def test_pairs_keep_to_their_group_and_use_no_item_twice() -> None:
    groups = np.array([7, 7, 7, 7, 7, 2, 2, 3])
    pairs = pairs_within(groups, 10, 0)
    assert sorted(groups[pairs[:, 0]]) == [2, 7, 7]
    np.testing.assert_array_equal(groups[pairs[:, 0]], groups[pairs[:, 1]])
    assert len(np.unique(pairs)) == pairs.size
    assert len(pairs_within(groups, 2, 0)) == 2


def test_all_pairs_are_equally_likely() -> None:
    drawn = [tuple(sorted(pairs_within(np.zeros(4, np.int64), 1, seed)[0])) for seed in range(3000)]
    counts = np.unique(drawn, axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert counts == pytest.approx(500, abs=90)


def test_one_picture_repeated_is_one_and_varied_pictures_are_less() -> None:
    rng = np.random.default_rng(0)
    varied = rng.integers(0, 256, (60, 1, 8, 8), np.uint8).repeat(4, 2).repeat(4, 3)
    same, half = varied[:1].repeat(60, 0), np.concatenate([varied[:1].repeat(30, 0), varied[:30]])
    found = [scored(images)["ms_ssim_diversity_pixels"].value for images in (same, half, varied)]
    assert found[0] == pytest.approx(1, abs=1e-12)
    assert found[0] > found[1] > found[2]


def test_within_classes_that_look_alike() -> None:
    """Each class has one picture: alike within the class, different between classes."""
    kinds = np.random.default_rng(1).integers(0, 256, (10, 1, 8, 8), np.uint8).repeat(4, 2).repeat(4, 3)
    labels = np.arange(100) % 10
    found = scored(kinds[labels], labels)
    assert found["ms_ssim_class_diversity_pixels"].value == pytest.approx(1, abs=1e-12)
    assert found["ms_ssim_diversity_pixels"].value < 0.5
    assert found["ms_ssim_class_diversity_pixels"].how == {"pairs": 50, "scales": 2}
    assert list(scored(kinds[labels])) == ["ms_ssim_diversity_pixels"]


def test_the_order_of_images_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    images, labels = rng.integers(0, 256, (50, 3, 16, 16), np.uint8), rng.integers(0, 3, 50)
    order = rng.permutation(50)
    assert scored(images, labels) == scored(images[order], labels[order])
    assert scored(images, labels, pairs=10)["ms_ssim_diversity_pixels"].how["pairs"] == 10


def test_classes_of_one_image_each_have_no_score() -> None:
    images = np.random.default_rng(3).integers(0, 256, (4, 1, 16, 16), np.uint8)
    assert list(scored(images, np.arange(4))) == ["ms_ssim_diversity_pixels"]
