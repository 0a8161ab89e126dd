"""Progressive growing of GANs (Karras et al. 2018, arXiv:1710.10196): from 4×4 images to the full size."""

from itertools import pairwise
from math import prod
from typing import Annotated

from pydantic import Field
from torch import nn

from genpipe.interfaces.spec import DataSpec
from genpipe.nn import objectives, penalties
from genpipe.nn.fading import FadingDiscriminator, FadingGenerator
from genpipe.nn.growing import Growing, Growth, sizes, widths
from genpipe.nn.modulation import PixelNorm
from genpipe.nn.progressive import UpsampleConv2d, equalized_lr
from genpipe.nn.strided import first_size


class ProGAN(Growing):
    """Codes and features are held at one length, learning rates are equal, and D sees how much images differ."""

    class Config(Growth):
        loss: objectives.Loss = "wasserstein"
        penalty: penalties.Kind = "wgan-gp"
        drift_weight: Annotated[float, Field(ge=0)] = 1e-3

    def __init__(self, config: Config, spec: DataSpec) -> None:
        levels, smallest = len(sizes(config, spec)), first_size(spec)
        outwards = widths(config.generator_channels, config.most_channels, spec)
        inwards = widths(config.discriminator_channels, config.most_channels, spec)
        blocks = [_seed(config.latent_dim, (outwards[0], *smallest)), *(_doubling(i, o) for i, o in pairwise(outwards))]
        drawing = FadingGenerator(blocks, outwards, spec.channels, levels, config.output)
        super().__init__(config, drawing, FadingDiscriminator(inwards, spec.channels, levels, smallest), spec)


def _seed(latent_dim: int, shape: tuple[int, int, int]) -> nn.Sequential:
    """Codes, on the hypersphere, to the first features [c h w]."""
    dense, width = equalized_lr(nn.Linear(latent_dim, prod(shape))), shape[0]
    return nn.Sequential(PixelNorm(), dense, nn.Unflatten(1, shape), *_bent(), *_convolution(width, width))


def _doubling(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(equalized_lr(UpsampleConv2d(inputs, outputs)), *_bent(), *_convolution(outputs, outputs))


def _convolution(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return equalized_lr(nn.Conv2d(inputs, outputs, 3, padding=1)), *_bent()


def _bent() -> tuple[nn.Module, ...]:
    return nn.LeakyReLU(0.2), PixelNorm()
