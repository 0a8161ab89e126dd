"""The one place where images change between uint8 and [-1, 1]."""

import torch
from jaxtyping import UInt8
from torch import Tensor

from genpipe.interfaces import Images


def to_model(pixels: UInt8[Tensor, "b c h w"]) -> Images:
    """Images as float32 in [-1, 1]."""
    return pixels.float().mul_(2 / 255).sub_(1)


def to_pixels(x: Images) -> UInt8[Tensor, "b c h w"]:
    """Images as uint8: clamped, then rounded to the nearest level."""
    return x.float().add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
