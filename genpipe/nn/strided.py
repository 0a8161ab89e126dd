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

SEED_SIZE = 4
"""Side in pixels of the generator's first feature map."""


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
    seed = nn.ConvTranspose2d(inputs, widths[0], SEED_SIZE, bias=False)
    return nn.Sequential(nn.Unflatten(1, (inputs, 1, 1)), seed, upsample_stack([*widths, spec.channels]))


def discriminator(config: DCGANConfig, channels: int, spec: DataSpec) -> nn.Sequential:
    """Returns a net from images [b channels h w] to logits [b 1]. Raises Unsuitable."""
    widths = [config.discriminator_channels * 2**k for k in range(doublings(spec))]
    halvings = downsample_stack([channels, *widths], config.discriminator_norm)
    return nn.Sequential(halvings, nn.Conv2d(widths[-1], 1, SEED_SIZE), nn.Flatten())


def initialize(module: nn.Module) -> None:
    """Initializes convolutions as in section 4 of the paper, and batch norm around 1 as in its code."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def doublings(spec: DataSpec) -> int:
    """Returns how often the first feature map doubles to reach the image. Raises Unsuitable."""
    side = spec.height
    if spec.width != side or side < 2 * SEED_SIZE or side & (side - 1):
        raise Unsuitable(
            "strided convolutions draw square images whose side is a power of two from 8 up, but they are "
            f"{side}×{spec.width}. Change `image_size` of the data set."
        )
    return (side // SEED_SIZE).bit_length() - 1
