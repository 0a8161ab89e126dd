"""Deep convolutional GAN (Radford et al. 2016, arXiv:1511.06434)."""

from typing import Annotated

from pydantic import Field
from torch import nn

from genpipe.errors import Unsuitable
from genpipe.interfaces import ImageSpec
from genpipe.nn.adversarial import Adversarial, Game
from genpipe.nn.conv import doubling, halving

SEED_SIZE = 4
"""Side in pixels of the generator's first feature map."""


class DCGAN(Adversarial):
    """Strided and transposed convolutions without hidden dense layers; the guidelines are in section 3 of the paper.

    Batch norm everywhere but at G's output and D's input; ReLU and tanh in G, LeakyReLU 0.2 in D; weights from
    N(0, 0.02²).
    """

    class Config(Game):
        generator_channels: Annotated[int, Field(ge=1)] = 64
        """Of the layer next to the image; they double with each halving."""
        discriminator_channels: Annotated[int, Field(ge=1)] = 64

    def __init__(self, config: Config, spec: ImageSpec) -> None:
        doublings = _doublings(spec)
        generator = _generator(config.latent_dim, config.generator_channels, doublings, spec)
        super().__init__(config, generator, _discriminator(config.discriminator_channels, doublings, spec))
        self.apply(_initialise)


def _doublings(spec: ImageSpec) -> int:
    """How often the first feature map doubles to reach the image. Raises Unsuitable."""
    side = spec.height
    if spec.width != side or side < 2 * SEED_SIZE or side & (side - 1):
        raise Unsuitable(
            f"dcgan draws square images whose side is a power of two from 8 up, but they are {side}×{spec.width}. "
            "Change `size` of the data set."
        )
    return (side // SEED_SIZE).bit_length() - 1


def _generator(latent_dim: int, channels: int, doublings: int, spec: ImageSpec) -> nn.Sequential:
    widths = [channels * 2**k for k in reversed(range(doublings))]
    seed = nn.ConvTranspose2d(latent_dim, widths[0], SEED_SIZE, bias=False)
    return nn.Sequential(nn.Unflatten(1, (latent_dim, 1, 1)), seed, doubling([*widths, spec.channels]))


def _discriminator(channels: int, halvings: int, spec: ImageSpec) -> nn.Sequential:
    widths = [channels * 2**k for k in range(halvings)]
    return nn.Sequential(halving([spec.channels, *widths]), nn.Conv2d(widths[-1], 1, SEED_SIZE), nn.Flatten())


def _initialise(module: nn.Module) -> None:
    """Section 4 of the paper for convolutions; batch norm around 1, as in its code."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
