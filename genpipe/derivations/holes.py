"""Holes: masks of what is missing in an image, for inpainting: the center, boxes or free-form strokes."""

from collections.abc import Sequence
from math import ceil, floor, sqrt
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image, ImageDraw
from pydantic import Field, model_validator

from genpipe.errors import Unsuitable
from genpipe.interfaces.derivations import Derivation
from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.schema import Strict

Share = Annotated[float, Field(gt=0, lt=1)]
Mask = Bool[np.ndarray, "h w"]
_ROUNDING = 1e-9
"""By so much a share of the pixels may miss a whole number."""


class Holes(Derivation):
    """A mask [1 h w] that is 1 in the hole. The number of its pixels is drawn evenly within the bounds of the share.

    center: one box in the middle, of whole rows, and so of a few pixels less; boxes: boxes anywhere with sides of 1/8
    to 1/2 of the image's (both Pathak et al. 2016, arXiv:1604.07379); free_form: bent strokes (Yu et al. 2019,
    arXiv:1806.03589). The last box or stroke is cut off where the hole is large enough.
    """

    class Config(Strict):
        kind: Literal["boxes", "center", "free_form"] = "boxes"
        min_share: Share = 0.1
        """The smallest hole, as a share of the image."""
        max_share: Share = 0.4
        """The largest hole. With 0.25 for both, `center` is half as high and half as wide as the image."""

        @model_validator(mode="after")
        def _ordered(self) -> "Holes.Config":
            if self.min_share > self.max_share:
                raise ValueError(f"min_share {self.min_share} is more than max_share {self.max_share}; give less")
            return self

    random = True

    def __init__(self, config: Config, spec: DataSpec) -> None:
        self.sides, pixels = (spec.height, spec.width), spec.height * spec.width
        self.least = max(1, ceil(config.min_share * pixels - _ROUNDING))
        self.most = min(pixels - 1, floor(config.max_share * pixels + _ROUNDING))
        if self.least > self.most:
            raise Unsuitable(
                f"no whole number of the {pixels} pixels is {config.min_share} to {config.max_share} of them. "
                "Give bounds that are farther apart, or larger images."
            )
        self.drawn = {"boxes": self._boxes, "center": self._center, "free_form": self._strokes}[config.kind]
        self.field = FieldSpec("mask", (1, *self.sides))

    def rows(self, images: UInt8[np.ndarray, "n c h w"], rngs: Sequence[np.random.Generator]) -> np.ndarray:
        found = np.zeros((len(images), 1, *self.sides), bool)
        for mask, rng in zip(found[:, 0], rngs, strict=True):
            self.drawn(mask, int(rng.integers(self.least, self.most + 1)), rng)
        return found.view(np.uint8)

    def _center(self, mask: Mask, pixels: int, rng: np.random.Generator) -> None:
        """The box of the shape of the image that has about so many pixels, and never more."""
        height, width = self.sides
        tall = min(pixels, max(1, ceil(pixels / width), round(sqrt(pixels * height / width))))
        wide = pixels // tall
        top, left = (height - tall) // 2, (width - wide) // 2
        mask[top : top + tall, left : left + wide] = True

    def _boxes(self, mask: Mask, pixels: int, rng: np.random.Generator) -> None:
        while pixels:
            tall, wide = (int(rng.integers(max(1, side // 8), max(1, side // 2) + 1)) for side in self.sides)
            top, left = (int(rng.integers(s - k + 1)) for s, k in zip(self.sides, (tall, wide), strict=True))
            there = mask[top : top + tall, left : left + wide]
            pixels -= _cover(there, ~there, pixels)

    def _strokes(self, mask: Mask, pixels: int, rng: np.random.Generator) -> None:
        height, width = self.sides
        short = min(self.sides)
        while pixels:
            turns = np.cumsum([rng.uniform(0, 2 * np.pi), *rng.uniform(-1, 1, rng.integers(3, 8))])
            steps = rng.uniform(short / 8, short / 4, len(turns)) * [np.cos(turns), np.sin(turns)]
            begin = rng.uniform(0, [width, height])[:, None]
            points = np.concatenate([begin, begin + np.cumsum(steps, axis=1)], axis=1)
            brush = int(rng.integers(max(1, short // 16), max(1, short // 8) + 1))
            canvas = Image.new("1", (width, height))
            ImageDraw.Draw(canvas).line(points.T.ravel().tolist(), fill=1, width=brush, joint="curve")
            pixels -= _cover(mask, np.asarray(canvas) & ~mask, pixels)


def _cover(mask: Mask, new: Mask, most: int) -> int:
    """Sets the first pixels that are new, at most so many, and returns their number."""
    down, right = (places[:most] for places in np.nonzero(new))
    mask[down, right] = True
    return len(down)
