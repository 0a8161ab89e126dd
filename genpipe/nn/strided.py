"""Generator and discriminator of strided convolutions (Radford et al. 2016, arXiv:1511.06434).

Batch norm everywhere but at G's output and D's input, another in D if so wished; ReLU and tanh in G, LeakyReLU 0.2 in
D; weights from N(0, 0.02²).
"""

from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from genpipe.errors import Unsuitable
from genpipe.interfaces.spec import DataSpec
from genpipe.nn.adversarial import GANConfig
from genpipe.nn.conv import downsample_stack, upsample_stack

SEED_PIXELS = 4
"""The shorter side of the generator's first feature map; where halving does not lead there, up to 7."""


class DCGANConfig(GANConfig):
    """Knobs of the width of both nets."""

    generator_channels: Annotated[int, Field(ge=1)] = 64
    """Channels of the layer next to the image; they double each time the size halves."""
    discriminator_channels: Annotated[int, Field(ge=1)] = 64
    discriminator_norm: Literal["batch", "layer", "instance", "none"] = "batch"
    """With a penalty on gradients it must not be batch (Gulrajani et al. 2017, arXiv:1704.00028, section 4)."""


def generator(config: DCGANConfig, inputs: int, spec: DataSpec) -> nn.Sequential:
    """Returns a net from codes [b inputs] to images [b c h w] in [-1, 1]. Raises Unsuitable."""
    widths = [config.generator_channels * 2**k for k in reversed(range(doublings(spec)))]
    seed = nn.ConvTranspose2d(inputs, widths[0], first_size(spec), bias=False)
    return nn.Sequential(nn.Unflatten(1, (inputs, 1, 1)), seed, upsample_stack([*widths, spec.channels]))


def discriminator(config: DCGANConfig, channels: int, spec: DataSpec) -> nn.Sequential:
    """Returns a net from images [b channels h w] to logits [b 1]. Raises Unsuitable."""
    widths = [config.discriminator_channels * 2**k for k in range(doublings(spec))]
    halvings = downsample_stack([channels, *widths], config.discriminator_norm)
    return nn.Sequential(halvings, nn.Conv2d(widths[-1], 1, first_size(spec)), nn.Flatten())


def initialize(module: nn.Module) -> None:
    """Initializes convolutions as in section 4 of the paper, and batch norm around 1 as in its code."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d) and module.affine:
        nn.init.normal_(module.weight, 1.0, 0.02)


def doublings(spec: DataSpec) -> int:
    """Returns how often the first feature map doubles to reach the image. Raises Unsuitable."""
    sides = spec.height, spec.width
    times = (min(sides) // SEED_PIXELS).bit_length() - 1
    if times < 1 or any(side % 2**times for side in sides):
        height, width = _nearest(sides)
        raise Unsuitable(
            f"the nets halve an image, once at least, until its shorter side has {SEED_PIXELS} to "
            f"{2 * SEED_PIXELS - 1} pixels, and {sides[0]}×{sides[1]} cannot be halved so; nearest: {height}×{width}. "
            "Change `image_size` of the data set."
        )
    return times


def first_size(spec: DataSpec) -> tuple[int, int]:
    """Returns the height and the width of the generator's first feature map, in pixels. Raises Unsuitable."""
    times = doublings(spec)
    return spec.height >> times, spec.width >> times


def _nearest(sides: tuple[int, int]) -> tuple[int, int]:
    """The height and the width nearest to these to which doubling leads."""
    possible = []
    for step in (2**times for times in range(1, min(sides).bit_length() + 1)):
        height, width = (max(SEED_PIXELS, round(side / step)) * step for side in sides)
        if min(height, width) < 2 * SEED_PIXELS * step:
            possible.append((height, width))
    return min(possible, key=lambda size: abs(size[0] - sides[0]) + abs(size[1] - sides[1]))
