import numpy as np
import pytest
import torch
from numpy.random import Generator
from pytorch_msssim import ms_ssim as reference
from skimage.metrics import structural_similarity

from genpipe.errors import Unsuitable
from genpipe.metrics import _structure
from genpipe.metrics._structure import ms_ssim, scales, ssim


def pairs(rng: Generator, n: int, channels: int, height: int, width: int, noise: float) -> list[np.ndarray]:
    coarse = rng.normal(128, 90, (n, channels, height // 4 + 1, width // 4 + 1))
    a = coarse.repeat(4, 2).repeat(4, 3)[:, :, :height, :width]
    return [x.clip(0, 255).round().astype(np.uint8) for x in (a, a + rng.normal(0, noise, a.shape))]


@pytest.mark.parametrize(
    ("channels", "height", "width", "noise"), [(1, 32, 32, 20), (3, 28, 45, 80), (1, 11, 11, 5), (3, 64, 64, 0)]
)
def test_ssim_equals_scikit_images(channels: int, height: int, width: int, noise: float) -> None:
    a, b = pairs(np.random.default_rng(0), 5, channels, height, width, noise)
    options = {"channel_axis": 0, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = [structural_similarity(x, y, data_range=255, **options) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(ssim(a, b), expected, rtol=1e-10)


def test_ms_ssim_of_five_scales_equals_the_one_of_pytorch_msssim() -> None:
    a, b = pairs(np.random.default_rng(1), 3, 3, 176, 192, 60)
    x, y = (torch.from_numpy(images).double() for images in (a, b))
    gauss = torch.exp(-((torch.arange(11, dtype=torch.float64) - 5) ** 2) / 4.5)
    window = (gauss / gauss.sum()).expand(3, 1, 1, 11)
    assert scales(176, 192) == 5
    np.testing.assert_allclose(ms_ssim(a, b), reference(x, y, win=window, size_average=False), rtol=1e-10)


def window_by_window(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """SSIM and its contrast term of two channels, from the weighted moments in each window as the paper has them."""
    g = np.exp(-((np.arange(11) - 5) ** 2) / 4.5)
    w = np.outer(g, g) / g.sum() ** 2
    found = []
    for i, j in np.ndindex(x.shape[0] - 10, x.shape[1] - 10):
        u, v = (image[i : i + 11, j : j + 11] for image in (x, y))
        mu, mv = (w * u).sum(), (w * v).sum()
        contrast = (2 * (w * (u - mu) * (v - mv)).sum() + 58.5225) / (
            (w * ((u - mu) ** 2 + (v - mv) ** 2)).sum() + 58.5225
        )
        found.append(((2 * mu * mv + 6.5025) / (mu**2 + mv**2 + 6.5025) * contrast, contrast))
    return tuple(np.mean(found, 0))


@pytest.mark.parametrize(("height", "width", "count"), [(44, 60, 3), (29, 32, 2), (21, 40, 1)])
def test_ms_ssim_of_fewer_scales_equals_loops_over_windows(height: int, width: int, count: int) -> None:
    a, b = pairs(np.random.default_rng(2), 1, 2, height, width, 60)
    shares = np.array([0.0448, 0.2856, 0.3001][:count])
    shares *= 1.0001 / shares.sum()
    products = []
    for x, y in zip(a[0].astype(float), b[0].astype(float), strict=True):
        factors = []
        for _ in range(count):
            factors.append(window_by_window(x, y))
            x, y = (v[: len(v) // 2 * 2, : v.shape[1] // 2 * 2] for v in (x, y))
            x, y = ((v[::2, ::2] + v[1::2, ::2] + v[::2, 1::2] + v[1::2, 1::2]) / 4 for v in (x, y))
        whole, contrast = np.array(factors).T
        products.append(np.prod(contrast[:-1] ** shares[:-1]) * whole[-1] ** shares[-1])
    assert scales(height, width) == count
    assert ms_ssim(a, b)[0] == pytest.approx(np.mean(products), rel=1e-10)


def test_an_image_is_like_itself_and_structure_falls_with_noise() -> None:
    rng = np.random.default_rng(2)
    for similarity in (ssim, ms_ssim):
        found = [similarity(*pairs(rng, 20, 1, 32, 32, noise)).mean() for noise in (0, 10, 40, 160)]
        assert found[0] == pytest.approx(1, abs=1e-12)
        assert found == sorted(found, reverse=True)


def test_a_negative_image_counts_as_zero_at_several_scales() -> None:
    a, _ = pairs(np.random.default_rng(3), 3, 1, 32, 32, 0)
    assert (ssim(a, 255 - a) < 0).all()
    assert (ms_ssim(a, 255 - a) == 0).all()


def test_blocks_do_not_change_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = pairs(np.random.default_rng(4), 7, 1, 24, 40, 30)
    whole = ms_ssim(a, b)
    monkeypatch.setattr(_structure, "_BLOCK_VALUES", 2000)
    np.testing.assert_allclose(ms_ssim(a, b), whole, rtol=1e-12)


def test_images_smaller_than_the_window() -> None:
    small = np.zeros((2, 1, 10, 30), np.uint8)
    with pytest.raises(Unsuitable, match="windows of 11×11 pixels, and these images have 10×30"):
        ssim(small, small)
