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
        base_channels: Annotated[int, Field(ge=1)] = 64
        """Channels of the layer next to the image; they double with each halving."""

    def __init__(self, config: Config, spec: ImageSpec) -> None:
        widths = [config.base_channels * 2**k for k in range(_halvings(spec))]
        super().__init__(config, _generator(config.latent_dim, widths, spec), _discriminator(widths, spec))
        self.apply(_initialise)


def _halvings(spec: ImageSpec) -> int:
    side = spec.height
    if spec.width != side or side < 2 * SEED_SIZE or side & (side - 1):
        raise Unsuitable(
            f"dcgan draws square images whose side is a power of two from 8 up, but they are {side}×{spec.width}. "
            "Change `size` of the data set."
        )
    return (side // SEED_SIZE).bit_length() - 1


def _generator(latent_dim: int, widths: list[int], spec: ImageSpec) -> nn.Sequential:
    outwards = widths[::-1]
    return nn.Sequential(
        nn.Unflatten(1, (latent_dim, 1, 1)),
        nn.ConvTranspose2d(latent_dim, outwards[0], SEED_SIZE),
        _norm_relu(outwards[0]),
        doubling([*outwards, spec.channels], [*[_norm_relu] * (len(widths) - 1), lambda _: nn.Tanh()]),
    )


def _discriminator(widths: list[int], spec: ImageSpec) -> nn.Sequential:
    after = [lambda _: nn.LeakyReLU(0.2), *[_norm_leaky] * (len(widths) - 1)]
    return nn.Sequential(halving([spec.channels, *widths], after), nn.Conv2d(widths[-1], 1, SEED_SIZE), nn.Flatten())


def _norm_relu(channels: int) -> nn.Module:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())


def _norm_leaky(channels: int) -> nn.Module:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.LeakyReLU(0.2))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
