"""Sizes of features that are halved, and the norms that fit them."""

from collections.abc import Sequence

from torch import nn

from genpipe.errors import Unsuitable
from genpipe.nn.conv import NORMS

Size = tuple[int, int]
"""Height and width in pixels."""


def halved(size: Size, times: int = 1) -> Size:
    """Returns a size after a number of halvings, rounded down."""
    return size[0] >> times, size[1] >> times


def most_halvings(size: Size) -> int:
    """Returns how often height and width can both be halved without a remainder."""
    sides = size[0] | size[1]
    return (sides & -sides).bit_length() - 1


def verify_halvings(size: Size, times: int, knob: str, least_pixels: int = 1) -> None:
    """Raises Unsuitable if a size cannot be halved so often, or if less than `least_pixels` are then left of a side."""
    multiple = 2**times
    if min(size) < multiple * least_pixels or any(side % multiple for side in size):
        near = [max(least_pixels, round(side / multiple)) * multiple for side in size]
        least = f", {multiple * least_pixels} at least" if least_pixels > 1 else ""
        raise Unsuitable(
            f"{knob} halves the image {times} times, but it is {size[0]}×{size[1]}; its sides have to be multiples of "
            f"{multiple}{least}, nearest: {near[0]}×{near[1]}. Change `image_size` of the data set, or halve less."
        )


def norm(kind: str, channels: int, size: Size) -> Sequence[nn.Module]:
    """Returns a norm of features of a size; none where they have one place, whose norm would be zero."""
    return NORMS[kind](channels) if size[0] * size[1] > 1 else []
