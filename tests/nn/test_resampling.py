"""Bicubic resampling, as Pillow does it."""

import numpy as np
import pytest
import torch
from PIL import Image

from genpipe.nn.pixel_range import to_model, to_pixels
from genpipe.nn.resampling import bicubic


@pytest.mark.parametrize("size", [(8, 8), (6, 4), (4, 16), (33, 40), (96, 64)])
def test_bicubic_is_pillow_s_to_a_level(size: tuple[int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 24, 16), dtype=np.uint8)
    images[2:] = 255 * (images[2:] > 127)  # of two levels, for more to be clamped
    pictures = [
        Image.fromarray(image.transpose(1, 2, 0)).resize(size[::-1], Image.Resampling.BICUBIC) for image in images
    ]
    expected = np.stack([np.asarray(picture) for picture in pictures]).transpose(0, 3, 1, 2)
    x = bicubic(to_model(torch.from_numpy(images)), size)
    assert -1 <= x.min() <= x.max() <= 1
    assert np.abs(to_pixels(x).numpy().astype(int) - expected).max() <= 1


def test_a_gray_image_stays_gray() -> None:
    torch.testing.assert_close(bicubic(torch.full((1, 1, 8, 8), 0.25), (2, 32)), torch.full((1, 1, 2, 32), 0.25))
