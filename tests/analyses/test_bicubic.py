"""Bicubic enlargements: Pillow's, scored as samples are."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from genpipe.analyses.bicubic import Bicubic, enlarged
from genpipe.errors import Unsuitable
from genpipe.interfaces.extractors import FeatureSet
from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.interfaces.translation import Translates
from tests.analyses._toys import Bands, context

SPEC = DataSpec(1, 8, 8, fields={"small": FieldSpec("image", (1, 2, 2)), "map": FieldSpec("label_map", (8, 8), 3)})
SMALL = np.random.default_rng(0).integers(0, 256, (400, 1, 2, 2), dtype=np.uint8)


class Enlarging(Bands, Translates):
    source = "small"

    def translate(self, source: Tensor, rng: torch.Generator) -> Tensor:
        raise AssertionError("samples are there")


def test_small_images_are_enlarged_as_pillow_does() -> None:
    expected = [np.asarray(Image.fromarray(image[0]).resize((8, 8), Image.Resampling.BICUBIC)) for image in SMALL]
    assert np.abs(enlarged(SMALL, "small", SPEC)[:, 0].astype(int) - np.stack(expected)).max() <= 1


def test_a_source_without_small_images_is_refused() -> None:
    with pytest.raises(Unsuitable, match="'map' holds none of 1 channels"):
        enlarged(SMALL, "map", SPEC)


def test_enlargements_are_scored_in_the_place_of_samples() -> None:
    model, asked = Enlarging(), list[tuple[FeatureSet, Sequence[str]]]()
    model.init_args = (None, SPEC)

    def scorer(images: FeatureSet, metrics: Sequence[str]) -> dict[str, float]:
        asked.append((images, metrics))
        return {"psnr_pixels": 7.0}

    made = context(model)
    rows = np.arange(400)[::-1]
    given = replace(
        made,
        scorer=scorer,
        conditions=lambda n: rows[:n],
        held_out_field=lambda name: {"x": made.real.held_out.images, "small": SMALL}[name],
    )
    found = Bicubic(Bicubic.Config(metrics=["psnr"], images=3, zoom=2)).run(given)
    assert found.numbers == {"bicubic_psnr_pixels": 7.0}
    assert np.array_equal(asked[0][0].images, enlarged(SMALL[rows], "small", SPEC))
    assert asked[0][1] == ("psnr",)
    assert found.pictures["bicubic"][0].shape == (3 * (16 + 2) + 2, 4 * (16 + 2) + 2, 1)
