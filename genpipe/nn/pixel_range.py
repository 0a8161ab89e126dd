"""Conversion of images between uint8 and [-1, 1]."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from genpipe.errors import ModelWarning, NonFiniteImages
from genpipe.interfaces.tensors import Images

MOST_BEYOND = 0.01
"""The share of a model's pixel values that may lie beyond [-1, 1] without a warning."""


def to_model(pixels: UInt8[Tensor, "b c h w"]) -> Images:
    """Returns images as float32 in [-1, 1]."""
    return pixels.float().mul_(2 / 255).sub_(1)


def to_pixels(x: Images) -> UInt8[Tensor, "b c h w"]:
    """Returns images as uint8: clamped, then rounded to the nearest level. Use `Output` for a model's images."""
    return _levels(x).clamp_(0, 255).to(torch.uint8)


@dataclass
class Output:
    """Converts a model's images to uint8, batch by batch, and counts values beyond the range of a pixel."""

    model: str
    images: str
    """A name of the images for messages: "samples"."""
    values: int = 0
    beyond: int = 0
    """The number of values that lie beyond [-1, 1] by more than half a level."""

    def pixels(self, x: Images) -> UInt8[Tensor, "b c h w"]:
        """Returns images converted by `to_pixels`. Raises NonFiniteImages if a value is NaN or infinite."""
        levels = _levels(x)
        clamped = levels.clamp(0, 255)
        shown = int((levels == clamped).sum())  # neither NaN nor infinity equals what it is clamped to
        if shown < x.numel() and (broken := int((~x.isfinite()).flatten(1).any(1).sum())):
            raise NonFiniteImages(self.model, self.images, broken, len(x))
        self.values += x.numel()
        self.beyond += x.numel() - shown
        return clamped.to(torch.uint8)


def warn_beyond(outputs: Iterable[Output]) -> None:
    """Warns once if too many values, summed over the parts, lie beyond [-1, 1]."""
    counted = list(outputs)
    share = sum(one.beyond for one in counted) / max(sum(one.values for one in counted), 1)
    if share > MOST_BEYOND:
        warnings.warn(
            f"{share:.1%} of the values of {counted[0].model}'s {counted[0].images} lie beyond [-1, 1] "
            "and are cut off: they are plain black or white.",
            ModelWarning,
            stacklevel=3,
        )


def _levels(x: Images) -> Float[Tensor, "b c h w"]:
    return x.float().add(1).mul_(127.5).round_()
