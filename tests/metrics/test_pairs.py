"""The scores of pairs: PSNR, SSIM, perceptual distance."""

import numpy as np
import pytest
from scipy import stats
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.metrics import Metric, Score
from genpipe.metrics.perceptual_distance import PerceptualDistance, distances
from genpipe.metrics.psnr import PSNR, decibels, linearized, squared_errors
from genpipe.metrics.ssim import SSIM


def images(n: int = 12, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 3, 16, 16), dtype=np.uint8)


def scored(metric: type[Metric], given: np.ndarray, truth: np.ndarray) -> dict[str, Score]:
    held_out = FeatureSet(truth, truth.reshape(len(truth), -1).astype(np.float32))
    evidence = FeatureSet(given, given.reshape(len(given), -1).astype(np.float32))
    return dict(metric(metric.Config()).scores(evidence, Real(held_out, held_out), "classifier", 0))


def test_psnr_equals_scikit_images() -> None:
    given, truth = images(seed=0), images(seed=1)
    assert scored(PSNR, given, truth)["psnr_pixels"].value == pytest.approx(
        peak_signal_noise_ratio(truth, given, data_range=255), rel=1e-12
    )
    each = [peak_signal_noise_ratio(x, y, data_range=255) for x, y in zip(truth, given, strict=True)]
    assert [decibels(mse) for mse in squared_errors(given, truth)] == pytest.approx(each, rel=1e-12)


def test_squared_errors_do_not_wrap_around() -> None:
    black, white = np.zeros((1, 1, 2, 2), np.uint8), np.full((1, 1, 2, 2), 255, np.uint8)
    assert squared_errors(black, white)[0] == squared_errors(white, black)[0] == 255**2
    assert decibels(255.0**2) == 0


def test_psnr_stays_finite_while_one_pair_differs_and_is_no_figure_after() -> None:
    truth = images()
    given = truth.copy()
    given[0, 0, 0, 0] ^= 1
    found = scored(PSNR, given, truth)["psnr_pixels"]
    assert found.value == pytest.approx(decibels(float(mean_squared_error(given, truth))), rel=1e-12)
    assert np.isfinite(found.interval or np.inf).all()
    assert scored(PSNR, truth, truth) == {}
    assert decibels(0.0) == np.inf


def test_the_interval_of_psnr_is_the_one_of_the_error_in_decibels() -> None:
    """To the first order; with many pairs nothing else is left."""
    errors = np.random.default_rng(0).gamma(20, 5, 4000)
    low, high = stats.t.interval(0.95, 3999, loc=errors.mean(), scale=stats.sem(errors))
    found = linearized(errors)
    half = stats.t.ppf(0.975, 3999) * stats.sem(found)
    assert found.mean() == pytest.approx(decibels(float(errors.mean())), rel=1e-12)
    assert [found.mean() - half, found.mean() + half] == pytest.approx(
        [decibels(float(high)), decibels(float(low))], abs=1e-3
    )


def test_ssim_is_the_mean_over_pairs() -> None:
    truth = images()
    given = truth.copy()
    given[:6] = images(6, seed=2)
    found = scored(SSIM, given, truth)
    options = {"channel_axis": 0, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    each = [structural_similarity(x, y, data_range=255, **options) for x, y in zip(truth, given, strict=True)]
    assert found["ssim_pixels"].value == pytest.approx(np.mean(each), rel=1e-10)
    expected = stats.t.interval(0.95, 11, loc=np.mean(each), scale=stats.sem(each))
    assert found["ssim_pixels"].interval == pytest.approx(expected, rel=1e-10)
    assert found["ms_ssim_pixels"].how["scales"] == 1


def test_perceptual_distances_made_by_hand() -> None:
    a = np.array([[1.0, 0], [0, 2], [3, 4], [0, 0], [0, 0], [1e30, 0]])
    b = np.array([[5.0, 0], [7, 0], [-6, -8], [0, 0], [0, 9], [0, 1e-30]])
    np.testing.assert_allclose(distances(a, b), [0, 2, 4, 0, 1, 2], atol=1e-15)


def test_perceptual_distance_is_twice_one_minus_the_cosine() -> None:
    given, truth = images(seed=0), images(seed=1)
    f, g = (x.reshape(12, -1).astype(np.float64) for x in (given, truth))
    cosines = (f * g).sum(1) / np.sqrt((f**2).sum(1) * (g**2).sum(1))
    found = scored(PerceptualDistance, given, truth)
    assert list(found) == ["perceptual_distance_classifier"]
    assert found["perceptual_distance_classifier"].value == pytest.approx((2 - 2 * cosines).mean(), rel=1e-12)


def test_one_pair_has_no_interval() -> None:
    assert scored(SSIM, images(1), images(1, seed=1))["ssim_pixels"].interval is None


def test_sets_that_are_no_pairs() -> None:
    for metric in (PSNR, SSIM, PerceptualDistance):
        with pytest.raises(ValueError, match="are no pairs"):
            scored(metric, images(3), images(4))


@pytest.mark.parametrize(("channels", "told"), [(1, "gray"), (3, "RGB"), (4, 4)])
def test_scores_of_pixels_say_which_channels_and_what_border(channels: int, told: object) -> None:
    given, truth = (np.repeat(images(seed=k)[:, :1], channels, 1) for k in (0, 1))
    for metric, name in ((PSNR, "psnr_pixels"), (SSIM, "ssim_pixels")):
        how = scored(metric, given, truth)[name].how
        assert (how["channels"], how["border_pixels_cut"]) == (told, 0)
