"""Affine transforms of images by one matrix per side, differentiable to any order."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from genpipe.interfaces.tensors import Images

Places = Float[Tensor, "b n"]
"""For each line of the new image, its position in the old one; between two lines both count."""


def sampling(places: Places, mirrored_border: bool) -> Float[Tensor, "b n n"]:
    """Returns the matrix that samples the lines of a side at these positions, with linear interpolation.

    Beyond the border an image is mirrored, or else 0, which is mid-gray.
    """
    n = places.shape[1]
    if mirrored_border:
        period = max(2 * (n - 1), 1)
        folded = places.remainder(period)
        places = torch.minimum(folded, period - folded)
    lines = torch.arange(n, device=places.device)
    return (1 - (places[:, :, None] - lines).abs()).clamp(min=0)


def warped(x: Images, rows: Float[Tensor, "b h h"], columns: Float[Tensor, "b w w"]) -> Images:
    """Returns each image with its rows and columns resampled."""
    return rows[:, None].to(x.dtype) @ x @ columns[:, None].mT.to(x.dtype)


def moved(x: Images, share: float, mirrored_border: bool) -> Images:
    """Shifts each image at random by whole rows and columns, at most by this share of its side."""
    return warped(x, *(sampling(lines(x, side) - _whole(x, side, share), mirrored_border) for side in (2, 3)))


def lines(x: Images, side: int) -> Places:
    """Returns the positions of lines in an unchanged image; side 2 is the height, 3 the width."""
    return torch.arange(x.shape[side], device=x.device, dtype=torch.float32).expand(len(x), -1)


def transposed(x: Images, which: Bool[Tensor, " b"]) -> Images:
    """Mirrors some of the images, which must be square, at their main diagonal."""
    return torch.where(which[:, None, None, None], x.mT, x)


def _whole(x: Images, side: int, share: float) -> Float[Tensor, "b 1"]:
    """A whole number of lines for each image."""
    most = int(x.shape[side] * share + 0.5)
    return torch.randint(-most, most + 1, (len(x), 1), device=x.device).float()
