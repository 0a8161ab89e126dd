"""Generative adversarial network with fully connected layers (Goodfellow et al. 2014, arXiv:1406.2661)."""

from itertools import pairwise
from typing import Annotated

from pydantic import Field
from torch import nn

from genpipe.interfaces.spec import DataSpec
from genpipe.nn.adversarial import GANConfig, UnconditionalGAN


class GAN(UnconditionalGAN):
    """Two multilayer perceptrons; the discriminator's widths are the generator's in reverse."""

    class Config(GANConfig):
        widths: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)] = [256, 512]

    def __init__(self, config: Config, spec: DataSpec) -> None:
        inwards = config.widths[::-1]
        drawing = [nn.Linear(config.widths[-1], spec.values), nn.Tanh(), nn.Unflatten(1, spec.shape)]
        generator = nn.Sequential(*_layers([config.latent_dim, *config.widths]), *drawing)
        discriminator = nn.Sequential(nn.Flatten(), *_layers([spec.values, *inwards]), nn.Linear(inwards[-1], 1))
        super().__init__(config, generator, discriminator)


def _layers(sizes: list[int]) -> list[nn.Module]:
    return [layer for i, o in pairwise(sizes) for layer in (nn.Linear(i, o), nn.LeakyReLU(0.2))]
