"""Figures of edits by models of which it is known what they change."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from genpipe.analyses.editing import Editing, edited, with_other
from genpipe.interfaces.analyses import AnalysisContext
from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.interfaces.translation import Edits
from tests.analyses._toys import Bands, context

SPEC = DataSpec(1, 8, 8, fields={"lit": FieldSpec("attributes", (2,), names=("first", "second"))})


class Lamps(Bands, Edits):
    """An attribute is whether a band is bright; all edits are right, or none is made."""

    attributes = "lit"

    def __init__(self, heeds: bool = True) -> None:
        super().__init__()
        self.heeds, self.init_args = heeds, (None, SPEC)

    def attributes_of(self, x: Tensor) -> Tensor:
        return (x[:, 0, ::4, 0] > 0).float()

    def edit(self, x: Tensor, attributes: Tensor) -> Tensor:
        return x.abs() * (2 * attributes - 1).repeat_interleave(4, 1)[:, None, :, None] if self.heeds else x


def lamps(heeds: bool) -> AnalysisContext:
    made = context(Lamps(heeds))
    stored = {
        split: (images.images[:, 0, ::4, 0] > 127.5).astype(np.uint8)
        for split, images in (("train", made.real.training), ("test", made.real.held_out))
    }
    held_out = {"x": made.real.held_out.images, "lit": stored["test"]}
    return replace(made, held_out_field=lambda name: held_out[name], training_field=lambda name: stored["train"])


def test_edits_that_are_heeded_are_seen_and_reconstructions_stay() -> None:
    found = Editing(Editing.Config(images=3)).run(lamps(heeds=True))
    assert found.numbers["attribute_accuracy"] == 1
    assert found.numbers["attribute_reading_accuracy"] > 0.9
    assert found.numbers["edit_accuracy"] > 0.9
    assert found.numbers["reconstruction_edit_accuracy"] < 0.1
    assert found.numbers["reconstruction_change"] == 0
    assert found.numbers["edit_change"] > 20
    assert found.pictures["editing"][0].shape == (3 * (8 + 2) + 2, 4 * (8 + 2) + 2, 1)


def test_edits_that_are_not_heeded_change_nothing() -> None:
    numbers = Editing(Editing.Config()).run(lamps(heeds=False)).numbers
    assert numbers["edit_accuracy"] < 0.1
    assert numbers["edit_change"] == 0
    assert numbers["edit_class_accuracy"] == numbers["reconstruction_class_accuracy"]


def test_the_class_that_is_bound_to_the_first_attribute_is_lost_with_it_alone() -> None:
    """The class of these images is whether the first band is bright, so every other edit loses it."""
    numbers = Editing(Editing.Config()).run(lamps(heeds=True)).numbers
    assert numbers["edit_class_accuracy"] == pytest.approx(numbers["reconstruction_class_accuracy"] / 2, abs=0.05)


def test_one_attribute_is_what_the_image_does_not_show_and_others_are_as_seen() -> None:
    own, truth = np.array([[0, 1], [1, 1]], np.uint8), np.array([[0, 0], [0, 1]], np.uint8)
    assert with_other(own, truth, 0).tolist() == [[1, 1], [1, 1]]
    assert with_other(own, truth, 1).tolist() == [[0, 1], [1, 0]]


def test_each_image_gets_its_own_attributes() -> None:
    x = np.full((600, 1, 8, 8), 255, np.uint8)  # more than go through a net at once
    wanted = np.random.default_rng(0).integers(0, 2, (600, 2), dtype=np.uint8)
    with torch.inference_mode():
        found = edited(Lamps(), x, wanted)
    assert (found[:, 0, ::4, 0] // 255).tolist() == wanted.tolist()
