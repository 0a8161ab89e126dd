"""Figures of translations whose maps are known."""

from dataclasses import replace

import numpy as np
import pytest

from genpipe.analyses.segmentation import Segmentation, accuracy, confused, mean_iou
from genpipe.interfaces.analyses import AnalysisContext
from genpipe.interfaces.dataset_info import DatasetInfo
from genpipe.interfaces.spec import DataSpec, FieldSpec
from tests.analyses._toys import Bands, context

SPEC = DataSpec(1, 8, 8, fields={"regions": FieldSpec("label_map", (8, 8), 3, ("dark", "bright", "void"))})
SMALL = Segmentation.Config(field="regions", steps=150, channels=4, images=2)


def translations(right: bool) -> AnalysisContext:
    """Images of which bright rows are a region; translations are the images themselves, or those of other items."""
    made = context(Bands())
    made.model.init_args = (None, SPEC)
    maps = {
        split: (images.images[:, 0] > 127).astype(np.uint8)
        for split, images in (("train", made.real.training), ("test", made.real.held_out))
    }
    x = made.real.held_out.images
    return replace(
        made,
        conditions=lambda most: np.arange(min(most, len(x))),
        draw_for=lambda rows: x[rows if right else len(x) - 1 - rows],
        training_field=lambda name: maps["train"],
        held_out_field=lambda name: maps["test"],
    )


def test_translations_with_the_regions_of_their_map_are_as_good_as_real_images() -> None:
    found = Segmentation(SMALL).run(translations(right=True))
    assert found.numbers["mean_iou"] == found.numbers["mean_iou_real"] > 0.9
    assert found.numbers["pixel_accuracy"] == found.numbers["pixel_accuracy_real"] > 0.9
    assert found.pictures["segmentation"][0].shape == (2 * (8 + 2) + 2, 3 * (8 + 2) + 2, 3)


def test_translations_of_other_maps_are_not() -> None:
    numbers = Segmentation(SMALL).run(translations(right=False)).numbers
    assert numbers["mean_iou"] < 0.5 < 0.9 < numbers["mean_iou_real"]


def test_equal_seeds_teach_equal_segmenters() -> None:
    first, second = (Segmentation(SMALL).run(translations(right=True)).numbers for _ in range(2))
    assert first == second


def test_figures_are_those_of_a_table_made_by_hand() -> None:
    truth = np.array([[[0, 0, 1, 1], [1, 1, 2, 2]]])
    found = np.array([[[0, 1, 1, 1], [1, 0, 0, 2]]])
    table = confused(found, truth, 3)
    assert table.tolist() == [[1, 1, 0], [1, 3, 0], [1, 0, 1]]
    assert mean_iou(table, [0, 1, 2]) == pytest.approx((1 / 4 + 3 / 5 + 1 / 2) / 3)
    assert accuracy(table, [0, 1, 2]) == 5 / 8


def test_pixels_without_a_label_count_nothing_and_what_is_taken_for_them_is_missed() -> None:
    table = np.array([[1, 1, 2], [1, 3, 0], [1, 0, 1]])
    assert mean_iou(table, [0, 1]) == pytest.approx((1 / 5 + 3 / 5) / 2)
    assert accuracy(table, [0, 1]) == 4 / 8


def test_labels_that_no_image_has_are_left_out() -> None:
    assert mean_iou(np.array([[4, 0], [0, 0]]), [0, 1]) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "the data has no field of that kind, or take the analysis out"),
        ({"parts": FieldSpec("label_map", (8, 8), 3)}, "the data has parts: set `field`"),
    ],
)
def test_data_without_the_map_is_refused(fields: dict[str, FieldSpec], message: str) -> None:
    refusal = Segmentation(Segmentation.Config()).unmet_requirement(DatasetInfo(DataSpec(1, 8, 8, fields=fields)))
    assert refusal is not None
    assert message in refusal
    assert Segmentation(SMALL).unmet_requirement(DatasetInfo(SPEC)) is None
