"""L*a*b* against scikit-image, known colors, and there and back."""

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from genpipe.nn.color import lab_to_rgb, rgb_to_lab

KNOWN = {
    (255, 0, 0): (53.24, 80.09, 67.20),
    (0, 255, 0): (87.73, -86.18, 83.18),
    (0, 0, 255): (32.30, 79.19, -107.86),
    (255, 255, 255): (100.0, 0.0, 0.0),
    (128, 128, 128): (53.59, 0.0, 0.0),
    (0, 0, 0): (0.0, 0.0, 0.0),
}


@pytest.mark.parametrize("rgb", KNOWN)
def test_known_colors(rgb: tuple[int, int, int]) -> None:
    x = torch.tensor(rgb, dtype=torch.float32).view(1, 3, 1, 1) / 127.5 - 1
    assert rgb_to_lab(x).flatten().tolist() == pytest.approx(KNOWN[rgb], abs=0.03)


def test_it_agrees_with_scikit_image() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 40, 3), dtype=np.uint8)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    np.testing.assert_allclose(rgb_to_lab(x)[0].permute(1, 2, 0).numpy(), rgb2lab(pixels), atol=0.03)


def test_every_level_comes_back_exactly() -> None:
    levels = torch.arange(0, 256, 5).float()
    x = torch.stack(torch.meshgrid(levels, levels, levels, indexing="ij"))[:, None].flatten(2)[..., None]
    x = x.permute(1, 0, 2, 3) / 127.5 - 1
    lab = rgb_to_lab(x)
    assert torch.equal(((lab_to_rgb(lab) + 1) * 127.5).round(), ((x + 1) * 127.5).round())
    assert (lab_to_rgb(lab) - x).abs().max() < 1e-5
    low, high = lab.amin((0, 2, 3)), lab.amax((0, 2, 3))
    torch.testing.assert_close(low, torch.tensor([0.0, -86.2, -107.9]), rtol=0, atol=0.1)
    torch.testing.assert_close(high, torch.tensor([100.0, 98.2, 94.5]), rtol=0, atol=0.1)


def test_colors_beyond_the_screen_are_cut_off() -> None:
    far = torch.tensor([50.0, 150.0, -150.0]).view(1, 3, 1, 1)
    assert lab_to_rgb(far).abs().max() == 1
