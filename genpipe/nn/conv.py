"""Stacks of strided and transposed convolutions: a factor of two a layer, kernels of 4×4."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn

from genpipe.errors import Unsuitable
from genpipe.interfaces import ImageSpec

Block = Callable[[int], nn.Module]
"""What follows a convolution, made from its number of channels."""


def seed_size(spec: ImageSpec, layers: int) -> int:
    """The side in pixels of what is left of an image after so many halvings.

    Raises Unsuitable if the image is not square or cannot be halved so often.
    """
    if spec.height != spec.width or spec.height % 2**layers:
        raise Unsuitable(
            f"{layers} layers halve the image {layers} times, but it is {spec.height}×{spec.width}. "
            f"Give a square image whose side is a multiple of {2**layers}, or fewer `widths`."
        )
    return spec.height // 2**layers


def halving(channels: Sequence[int], after: Sequence[Block]) -> nn.Sequential:
    """Convolutions of stride 2: [b channels[0] s s] to [b channels[-1] s/2ᵏ s/2ᵏ]."""
    pairs = zip(pairwise(channels), after, strict=True)
    return nn.Sequential(*(nn.Sequential(nn.Conv2d(i, o, 4, 2, 1), follow(o)) for (i, o), follow in pairs))


def doubling(channels: Sequence[int], after: Sequence[Block]) -> nn.Sequential:
    """Transposed convolutions of stride 2: [b channels[0] s s] to [b channels[-1] 2ᵏs 2ᵏs]."""
    pairs = zip(pairwise(channels), after, strict=True)
    return nn.Sequential(*(nn.Sequential(nn.ConvTranspose2d(i, o, 4, 2, 1), follow(o)) for (i, o), follow in pairs))
