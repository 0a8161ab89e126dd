"""Stacks of strided and transposed convolutions: a factor of two per layer, kernels of 4×4, batch norm or another norm.

They follow Radford et al. 2016 (arXiv:1511.06434, section 3): no norm next to the image; LeakyReLU 0.2 inwards,
ReLU outwards. A convolution before a norm has no bias.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from torch import nn

from genpipe.errors import Unsuitable
from genpipe.interfaces.spec import DataSpec


def seed_size(spec: DataSpec, layers: int) -> tuple[int, int]:
    """Returns the height and the width of an image, in pixels, after a number of halvings.

    Raises Unsuitable if it cannot be halved so often.
    """
    step = 2**layers
    if spec.height % step or spec.width % step:
        height, width = (max(1, round(side / step)) * step for side in (spec.height, spec.width))
        raise Unsuitable(
            f"{layers} layers halve the image {layers} times, but it is {spec.height}×{spec.width}. Both sides must be "
            f"multiples of {step}; nearest: {height}×{width}. Change `image_size` of the data set, or give fewer "
            "`widths`."
        )
    return spec.height // step, spec.width // step


NORMS: Mapping[str, Callable[[int], list[nn.Module]]] = {
    "batch": lambda channels: [nn.BatchNorm2d(channels)],
    "layer": lambda channels: [nn.GroupNorm(1, channels)],
    "instance": lambda channels: [nn.InstanceNorm2d(channels, affine=True)],
    "none": lambda channels: [],
}
"""The norms after a convolution, by its output channels. Layer norm is over channels and positions."""


def downsample_stack(channels: Sequence[int], norm: str = "batch") -> nn.Sequential:
    """Images [b channels[0] h w] to features [b channels[-1] h/2ᵏ w/2ᵏ]."""
    layers: list[nn.Module] = []
    for k, (inputs, outputs) in enumerate(pairwise(channels)):
        after = NORMS[norm](outputs) if k else []
        layers += [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=not after), *after, nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)


def upsample_stack(channels: Sequence[int], last: type[nn.Module] = nn.Tanh) -> nn.Sequential:
    """Features [b channels[0] h w], not yet normalized, to images [b channels[-1] 2ᵏh 2ᵏw] in the range of the last."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(channels[:-1]):
        layers += [nn.BatchNorm2d(inputs), nn.ReLU(), nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)]
    layers += [nn.BatchNorm2d(channels[-2]), nn.ReLU(), nn.ConvTranspose2d(channels[-2], channels[-1], 4, 2, 1)]
    return nn.Sequential(*layers, last())
