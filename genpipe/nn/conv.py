"""Stacks of strided and transposed convolutions: a factor of two per layer, kernels of 4×4, batch norm or another norm.

They follow Radford et al. 2016 (arXiv:1511.06434, section 3): no norm next to the image; LeakyReLU 0.2 inwards,
ReLU outwards. A convolution before a norm has no bias.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from torch import nn

from genpipe.errors import Unsuitable
from genpipe.interfaces.spec import DataSpec


def seed_size(spec: DataSpec, layers: int) -> int:
    """Returns the side of an image, in pixels, after a number of halvings.

    Raises Unsuitable if the image is not square or cannot be halved so often.
    """
    if spec.height != spec.width or spec.height % 2**layers:
        raise Unsuitable(
            f"{layers} layers halve the image {layers} times, but it is {spec.height}×{spec.width}. "
            f"Give a square image whose side is a multiple of {2**layers}, or fewer `widths`."
        )
    return spec.height // 2**layers


NORMS: Mapping[str, Callable[[int], list[nn.Module]]] = {
    "batch": lambda channels: [nn.BatchNorm2d(channels)],
    "layer": lambda channels: [nn.GroupNorm(1, channels)],
    "instance": lambda channels: [nn.InstanceNorm2d(channels, affine=True)],
    "none": lambda channels: [],
}
"""The norms after a convolution, by its output channels. Layer norm is over channels and positions."""


def downsample_stack(channels: Sequence[int], norm: str = "batch") -> nn.Sequential:
    """Images [b channels[0] s s] to features [b channels[-1] s/2ᵏ s/2ᵏ]."""
    layers: list[nn.Module] = []
    for k, (inputs, outputs) in enumerate(pairwise(channels)):
        after = NORMS[norm](outputs) if k else []
        layers += [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=not after), *after, nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)


def upsample_stack(channels: Sequence[int], last: type[nn.Module] = nn.Tanh) -> nn.Sequential:
    """Features [b channels[0] s s], not yet normalized, to images [b channels[-1] 2ᵏs 2ᵏs] in the range of the last."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(channels[:-1]):
        layers += [nn.BatchNorm2d(inputs), nn.ReLU(), nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)]
    layers += [nn.BatchNorm2d(channels[-2]), nn.ReLU(), nn.ConvTranspose2d(channels[-2], channels[-1], 4, 2, 1)]
    return nn.Sequential(*layers, last())
