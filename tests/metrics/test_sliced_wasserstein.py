import numpy as np
import pytest
from numpy.random import Generator
from scipy.ndimage import convolve
from scipy.stats import wasserstein_distance

from genpipe.errors import Unsuitable
from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.metrics import Score
from genpipe.metrics.sliced_wasserstein import SlicedWasserstein, cut, distances, normalized, pyramid, sliced


def pictures(rng: Generator, n: int, size: int = 32, channels: int = 1, smooth: int = 1) -> np.ndarray:
    noise = rng.normal(128, 60, (n, channels, size, size))
    for axis in (2, 3):
        noise = sum(np.roll(noise, k, axis) for k in range(smooth)) / smooth
    return noise.clip(0, 255).round().astype(np.uint8)


def scored(given: np.ndarray, training: np.ndarray, held_out: np.ndarray, **knobs: int) -> dict[str, Score]:
    config = SlicedWasserstein.Config(**{"images": 100, "patches": 16, "projections": 32, "subsets": 5, **knobs})
    g, t, h = (FeatureSet(images, np.zeros((len(images), 1), np.float32)) for images in (given, training, held_out))
    return dict(SlicedWasserstein(config).scores(g, Real(t, h), "classifier", 3))


def test_equals_loops_over_patches_and_directions() -> None:
    """Straight from the paper: cut, normalize, project, sort, subtract; in float64 and one by one."""
    rng = np.random.default_rng(0)
    a, b = pictures(rng, 6, 20, 3), pictures(rng, 6, 20, 3, smooth=2)
    places, directions = rng.random((2, 6, 9)), rng.normal(size=(5, 147))
    expected = 0.0
    points = []
    for images in (a, b):
        patches = []
        for k, image in enumerate(images):
            for p in range(9):
                y, x = (int(share * 14) for share in places[:, k, p])
                patches.append(image[:, y : y + 7, x : x + 7].astype(np.float64))
        for channel in range(3):
            values = np.array([patch[channel] for patch in patches])
            for patch in patches:
                patch[channel] = (patch[channel] - values.mean()) / values.std()
        points.append([patch.ravel() for patch in patches])
    for direction in directions:
        expected += wasserstein_distance(*([v @ direction for v in vectors] for vectors in points)) / 5
    x, y = (normalized(cut(images.astype(np.float32), places)) for images in (a, b))
    assert sliced(x, y, directions.astype(np.float32))[0] == pytest.approx(expected, rel=1e-5)


def test_closed_form_of_shifted_points() -> None:
    """Points moved by s are |s · θ| away along θ, whatever the points are."""
    rng = np.random.default_rng(1)
    points, shift, directions = rng.normal(size=(50, 4, 10)), rng.normal(size=10), rng.normal(size=(300, 10))
    found = sliced(points, points[::-1] + shift, directions)
    assert found[0] == pytest.approx(np.abs(directions @ shift).mean(), rel=1e-12)


def test_the_groups_are_compared_with_each_other() -> None:
    rng = np.random.default_rng(2)
    x, y, directions = rng.normal(size=(20, 3, 5)), rng.normal(1, 2, size=(20, 3, 5)), rng.normal(size=(130, 5))
    group = np.arange(4, 11)
    assert sliced(x, y, directions, [group])[1] == pytest.approx(sliced(x[group], y[group], directions)[0], rel=1e-12)


@pytest.mark.parametrize("size", [32, 49, 64])
def test_the_pyramid_adds_up_to_the_image(size: int) -> None:
    images = pictures(np.random.default_rng(3), 2, size, 3)
    levels = pyramid(images)
    assert [level.shape[2] for level in levels] == {32: [32, 16], 49: [49, 25], 64: [64, 32, 16]}[size]
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]).reshape(1, 1, 5, 5) / 64
    whole = levels[-1]
    for level in levels[-2::-1]:
        spread = np.zeros(level.shape)
        spread[..., ::2, ::2] = whole
        whole = level + convolve(spread, kernel, mode="mirror")
    np.testing.assert_allclose(whole, images, atol=1e-3)


def test_a_constant_image_has_no_detail() -> None:
    fine, coarse = pyramid(np.full((1, 1, 32, 32), 200, np.uint8))
    np.testing.assert_allclose(fine, 0, atol=1e-4)
    np.testing.assert_allclose(coarse, 200, rtol=1e-6)


def test_patches_stay_inside_and_reach_every_border() -> None:
    level = np.arange(64, dtype=np.float32).reshape(1, 1, 8, 8)
    corners = cut(level, np.array([[[0.0, 0.49, 0.5, 0.999]], [[0.0, 0.0, 0.999, 0.999]]]))[0, :, 0, 0, 0]
    assert corners.tolist() == [0, 0, 9, 9]


def test_channels_without_variation_stay_at_zero() -> None:
    patches = np.full((2, 3, 2, 7, 7), 7.0, np.float32)
    patches[:, :, 1] = np.random.default_rng(0).normal(size=(2, 3, 7, 7))
    vectors = normalized(patches).reshape(2, 3, 2, 49)
    assert not vectors[:, :, 0].any()
    assert vectors[:, :, 1].mean() == pytest.approx(0, abs=1e-6)
    assert vectors[:, :, 1].std() == pytest.approx(1, rel=1e-6)


def test_the_order_of_images_does_not_matter_and_a_set_is_nothing_from_itself() -> None:
    rng = np.random.default_rng(4)
    given, training, held_out = (pictures(rng, n, smooth=s) for n, s in ((150, 3), (120, 1), (130, 1)))
    forward, backward = scored(given, training, held_out), scored(given[::-1], training[::-1], held_out)
    assert forward == backward
    assert forward["swd_pixels"].how["drawn_images"] == 100
    assert {score.value for score in scored(training, training[::-1], held_out).values()} == {0.0}


def test_levels_tell_where_the_images_differ() -> None:
    rng = np.random.default_rng(5)
    training, held_out = pictures(rng, 200, smooth=6), pictures(rng, 200, smooth=6)
    noisy = (held_out + rng.normal(0, 20, held_out.shape)).clip(0, 255).astype(np.uint8)
    floor, found = scored(held_out, training, held_out), scored(noisy, training, held_out)
    assert list(found) == ["swd_pixels", "swd_pixels_32", "swd_pixels_16"]
    assert found["swd_pixels"].value == pytest.approx((found["swd_pixels_32"].value + found["swd_pixels_16"].value) / 2)
    fine, coarse = (found[name].value - floor[name].value for name in ("swd_pixels_32", "swd_pixels_16"))
    assert fine > 2 * coarse  # noise of single pixels is averaged away in the halved image
    low, high = found["swd_pixels"].interval or (0, 0)
    assert low < found["swd_pixels"].value < high


def test_subsets_differ_as_much_as_draws_do() -> None:
    rng = np.random.default_rng(6)
    groups = np.array_split(np.arange(100), 10)
    rows = [
        distances(pictures(rng, 100, 16, smooth=2), pictures(rng, 100, 16), groups, 8, 32, 0)[16] for _ in range(20)
    ]
    between = np.std([row[0] for row in rows], ddof=1)
    within = np.mean([np.std(row[1:], ddof=1) / np.sqrt(10) for row in rows])
    assert 0.4 < within / between < 2.5


def test_images_too_small_for_a_patch() -> None:
    small = np.zeros((4, 1, 6, 6), np.uint8)
    with pytest.raises(Unsuitable, match="patches of 7×7 pixels, and these images have 6×6"):
        scored(small, small, small)
