"""SPADE (Park et al. 2019, arXiv:1903.07291): images of label maps, in many styles."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec, Kinds
from genpipe.interfaces.tensors import Codes, Images, Scalar
from genpipe.interfaces.translation import Translates
from genpipe.nn import objectives
from genpipe.nn.halving import Size, halved, most_halvings, verify_halvings
from genpipe.nn.patch_discriminator import PatchDiscriminator, PatchOutput
from genpipe.nn.patch_gan import PatchGAN, PatchGANConfig
from genpipe.nn.spatial_modulation import ConcatenationBlock, LabelMaps, Norm, OneHotMaps, SPADEBlock, one_hot
from genpipe.nn.strided import initialize
from genpipe.nn.variational import kl_to_standard_normal

SEED_PIXELS = 4
"""The least side of G's first features."""
WIDEST = 8
"""The first features have at most so many times the channels of the last."""


class SPADE(PatchGAN, Translates):
    """G(z, m): a code z is the style, and the map m decides the norms of all layers.

    In training z is drawn from what an encoder says of the real image, as in appendix A of the paper, so that G cannot
    do without it; the divergence from N(0, I) is in G's loss. A sample draws z from N(0, I).
    """

    stochastic = True
    generator: "Generator"

    class Config(PatchGANConfig):
        source: str = "label_map"
        """Field with the label map of each image."""
        loss: objectives.Loss = "hinge"
        latent_dim: Annotated[int, Field(ge=1)] = 64
        """Length of the code of a style."""
        generator_channels: Annotated[int, Field(ge=1)] = 64
        """Channels of G's layer next to the image; they double each time the size halves, up to eight times as many."""
        generator_norm: Norm = "batch"
        """instance takes the mean of each channel away, and with it most of what a style is."""
        conditioning: Literal["modulation", "concatenation"] = "modulation"
        """How a layer gets the map: by the scale and shift of its norm, or beside its features."""
        modulation_channels: Annotated[int, Field(ge=1)] = 128
        """Channels of the layer between a map and scale and shift."""
        discriminator_scales: Annotated[int, Field(ge=1, le=4)] = 2
        spectral_norm: bool = True
        l1_weight: Annotated[float, Field(ge=0)] = 0.0
        feature_matching_weight: Annotated[float, Field(ge=0)] = 10.0
        kl_weight: Annotated[float, Field(ge=0)] = 0.05
        """Weight of the divergence of styles from N(0, I), in nats per image, in G's loss."""

    @classmethod
    def needed_fields(cls, config: Config) -> Mapping[str, Kinds]:
        return {config.source: "label_map"}

    def __init__(self, config: Config, spec: DataSpec) -> None:
        labels, size = spec.fields[config.source].size, (spec.height, spec.width)
        drawing = Generator(config, labels, spec.channels, size)
        super().__init__(config, drawing, PatchDiscriminator(config, spec.channels + labels, size))
        self.labels, self.source = labels, config.source
        self.latent_dim, self.kl_weight = config.latent_dim, config.kl_weight

    def translate(self, source: LabelMaps, rng: torch.Generator) -> Images:
        z = torch.randn(len(source), self.latent_dim, generator=rng, device=rng.device)
        return self.generator(z, one_hot(source, self.labels))

    def fake(self, batch: Batch) -> Images:
        mu, logvar = self.generator.style(batch.x)
        z = mu + (logvar / 2).exp() * torch.randn_like(mu)
        return self.generator(z, self._map(batch))

    def discriminator_input(self, x: Images, batch: Batch) -> Float[Tensor, "b k h w"]:
        return torch.cat([x, self._map(batch)], dim=1)

    def generator_terms(self, fake: Images, of_fake: PatchOutput, batch: Batch) -> Mapping[str, Scalar]:
        mu, logvar = self.generator.style(batch.x)
        kl = self.kl_weight * kl_to_standard_normal(mu, logvar).mean()
        return {**super().generator_terms(fake, of_fake, batch), "kl": kl}

    def _map(self, batch: Batch) -> OneHotMaps:
        return one_hot(batch.fields[self.source], self.labels)


class Generator(nn.Module):
    """Codes [b latent_dim] and maps to images in [-1, 1], and images to styles. Raises Unsuitable."""

    def __init__(self, config: SPADE.Config, labels: int, channels: int, size: Size) -> None:
        super().__init__()
        verify_halvings(size, 1, "the generator", least_pixels=SEED_PIXELS)
        most = (min(size) // SEED_PIXELS).bit_length() - 1
        times = min(most_halvings(size), most)
        widths = [config.generator_channels * min(2**k, WIDEST) for k in reversed(range(times + 1))]
        seed = (widths[0], *halved(size, times))
        self.seed = nn.Sequential(nn.Linear(config.latent_dim, seed[0] * seed[1] * seed[2]), nn.Unflatten(1, seed))
        self.blocks = nn.ModuleList([_block(config, i, o, labels) for i, o in pairwise([widths[0], *widths])])
        self.to_image = nn.Conv2d(widths[-1], channels, 3, padding=1)
        inwards = [config.generator_channels * min(2**k, WIDEST) for k in range(times)]
        strided = [_strided(i, o) for i, o in pairwise([channels, *inwards])]
        self.encoder = nn.Sequential(
            *strided, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inwards[-1], 2 * config.latent_dim)
        )
        self.apply(initialize)

    def forward(self, z: Codes, m: OneHotMaps) -> Images:
        h = self.blocks[0](self.seed(z), m)
        for block in self.blocks[1:]:
            h = block(interpolate(h, scale_factor=2, mode="nearest"), m)
        return self.to_image(leaky_relu(h, 0.2)).tanh()

    def style(self, x: Images) -> tuple[Codes, Codes]:
        """Returns mean and log-variance of the style of each image [b latent_dim]."""
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        return mu, logvar


def _block(config: SPADE.Config, inputs: int, outputs: int, labels: int) -> nn.Module:
    if config.conditioning == "modulation":
        return SPADEBlock(inputs, outputs, labels, config.modulation_channels, config.generator_norm)
    return ConcatenationBlock(inputs, outputs, labels, config.generator_norm)


def _strided(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.2))
