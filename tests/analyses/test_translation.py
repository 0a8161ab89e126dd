"""What the picture of translations shows, and how much translations of one condition differ."""

import numpy as np
import pytest

from genpipe.analyses._conditions import in_color, pictures
from genpipe.analyses.translation import diversity
from genpipe.interfaces.spec import DataSpec, FieldSpec

FIELDS = {
    "map": FieldSpec("label_map", (2, 2), 3),
    "holes": FieldSpec("mask", (1, 2, 2)),
    "small": FieldSpec("image", (1, 1, 1)),
}
SPEC = DataSpec(3, 2, 2, fields=FIELDS)


def test_maps_have_a_color_for_each_label() -> None:
    shown = pictures({"map": np.array([[[0, 1], [2, 0]]])}, SPEC)
    assert shown.shape == (1, 3, 2, 2)
    assert (shown[0, :, 0, 0] == shown[0, :, 1, 1]).all()
    assert len({tuple(shown[0, :, row, column]) for row, column in ((0, 0), (0, 1), (1, 0))}) == 3


def test_holes_are_gray_in_the_image_and_nothing_else_is() -> None:
    x, mask = np.full((1, 3, 2, 2), 200, np.uint8), np.array([[[[0, 1], [0, 0]]]], np.uint8)
    shown = pictures({"x": x, "holes": mask}, SPEC)
    assert shown[0, :, 0, 1].tolist() == [128] * 3
    assert (shown == 200).sum() == 9
    assert pictures({"holes": mask}, SPEC).tolist() == (mask * 255).tolist()


def test_small_pictures_are_enlarged_pixel_by_pixel_and_gray_ones_get_colors() -> None:
    shown = pictures({"small": np.full((1, 1, 1, 1), 7, np.uint8)}, SPEC)
    assert shown.tolist() == np.full((1, 1, 2, 2), 7).tolist()
    assert in_color(shown).shape == (1, 3, 2, 2)


def test_diversity_is_the_mean_difference_of_every_two() -> None:
    made = np.zeros((2, 3, 1, 2, 2), np.uint8)
    made[0, 1], made[0, 2] = 30, 60
    assert diversity(made).tolist() == [pytest.approx((30 + 60 + 30) / 3), 0]
