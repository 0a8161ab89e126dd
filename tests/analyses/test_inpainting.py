"""The figure of holes against scikit-image, and the plain fill against a loop."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor

from genpipe.analyses.inpainting import Inpainting, in_mean_color
from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.interfaces.translation import Inpaints
from tests.analyses._toys import Bands, context

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 256, (6, 3, 8, 8), dtype=np.uint8)
MASKS = (RNG.random((6, 1, 8, 8)) < 0.3).astype(np.uint8)


class Filling(Bands, Inpaints):
    mask = "holes"

    def inpaint(self, x: Tensor, mask: Tensor, rng: torch.Generator) -> Tensor:
        raise AssertionError("the analysis draws as samples are drawn")


def test_only_pixels_in_holes_count() -> None:
    rows, filled = np.array([4, 1]), TRUTH[[4, 1]].copy()
    inside = np.broadcast_to(MASKS[rows] > 0, filled.shape)
    filled[inside] = RNG.integers(0, 256, inside.sum())
    model = Filling()
    model.init_args = (None, DataSpec(3, 8, 8, fields={"holes": FieldSpec("mask", (1, 8, 8))}))
    given = replace(
        context(model),
        conditions=lambda n: rows,
        held_out_field=lambda name: {"x": TRUTH, "holes": MASKS}[name],
        draw_for=lambda asked: filled if asked is rows else pytest.fail("other items were drawn"),
    )
    found = Inpainting(Inpainting.Config()).run(given)
    numbers, (picture, _) = found.numbers, found.pictures["inpainting"]
    expected = peak_signal_noise_ratio(TRUTH[rows][inside], filled[inside], data_range=255)
    assert numbers["hole_psnr_db"] == pytest.approx(expected)
    assert numbers["hole_psnr_db"] < peak_signal_noise_ratio(TRUTH[rows], filled, data_range=255) - 3
    assert picture.shape == (2 * (8 + 2) + 2, 4 * (8 + 2) + 2, 3)


def test_the_plain_fill_is_the_mean_of_what_is_known() -> None:
    found = in_mean_color(TRUTH, MASKS > 0)
    for image, truth, mask in zip(found, TRUTH, MASKS[:, 0] > 0, strict=True):
        for channel, true in zip(image, truth, strict=True):
            assert (channel[~mask] == true[~mask]).all()
            assert (channel[mask] == round(float(true[~mask].mean()))).all()
