"""IcGAN (Perarnau et al. 2016, arXiv:1611.06355): a conditional GAN, then two encoders: images can be edited."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from genpipe.interfaces.generative import Encodes, Reconstructs
from genpipe.interfaces.phases import Batch, Phase
from genpipe.interfaces.spec import DataSpec, Kinds
from genpipe.interfaces.tensors import Codes, Images, Logs, Scalar
from genpipe.interfaces.translation import Condition, Edits, GeneratesFor
from genpipe.nn.adversarial import DiscriminatorOutput, LatentGAN
from genpipe.nn.conv import downsample_stack
from genpipe.nn.objectives import Logits
from genpipe.nn.strided import DCGANConfig, doublings, first_size, generator, initialize

Signs = Float[Tensor, "b k"]
"""Attributes, −1 or 1."""


class IcGAN(LatentGAN, GeneratesFor, Edits, Encodes, Reconstructs):
    """G(z, y) and D(x, y) for attributes y; then E_z finds the code of an image of G, and E_y what an image shows.

    An edit is G(E_z(x), y) with other attributes y.
    """

    stochastic = True

    class Config(DCGANConfig):
        attributes: str = "attributes"
        """Field with the attributes of each image."""
        encoder_channels: Annotated[int, Field(ge=1)] = 32
        """Channels of the encoders' layers next to the image; they double each time the size halves."""
        encoder_features: Annotated[int, Field(ge=1)] = 512
        """Numbers between the convolutions of an encoder and what it finds."""
        encoder_share: Annotated[float, Field(gt=0, lt=1)] = 0.4
        """Share of the training, at its end, in which the encoders learn and the GAN stays as it is."""

    config: Config

    def __init__(self, config: Config, spec: DataSpec) -> None:
        k = spec.fields[config.attributes].values
        judge = Discriminator(config, spec, k)
        super().__init__(config, generator(config, config.latent_dim + k, spec), judge)
        self.code_encoder, self.attribute_encoder = (_encoder(config, n, spec) for n in (config.latent_dim, k))
        self.attributes = config.attributes
        self.apply(initialize)

    @classmethod
    def needed_fields(cls, config: Any) -> Mapping[str, Kinds]:
        return {config.attributes: "attributes"}

    @property
    def condition(self) -> tuple[str, ...]:
        return (self.attributes,)

    def sample_for(self, condition: Condition, rng: torch.Generator) -> Images:
        y = condition[self.attributes]
        return self._drawn(self.sampled_codes(len(y), rng), signs(y))

    def encode(self, x: Images) -> Codes:
        return self.code_encoder(x)

    def attributes_of(self, x: Images) -> Float[Tensor, "b k"]:
        return (self.attribute_encoder(x) > 0).float()

    def edit(self, x: Images, attributes: Float[Tensor, "b k"]) -> Images:
        return self._drawn(self.encode(x), signs(attributes))

    def reconstruct(self, x: Images) -> Images:
        return self.edit(x, self.attributes_of(x))

    def phases(self) -> list[Phase]:
        begin = 1 - self.config.encoder_share
        return [
            *(replace(phase, during=(0.0, begin)) for phase in super().phases()),
            Phase("code_encoder", self.code_encoder, self.code_error, during=(begin, 1.0)),
            Phase("attribute_encoder", self.attribute_encoder, self.attribute_error, during=(begin, 1.0)),
        ]

    def generate(self, z: Codes, batch: Batch) -> Images:
        return self._drawn(z, self._signs(batch))

    def discriminate(self, x: Images, batch: Batch) -> DiscriminatorOutput:
        return self.discriminator(x, self._signs(batch))

    def refused(self, generated: Logits, batch: Batch) -> list[Logits]:
        """Returns with them the logits of real images with wrong attributes: half of each, section 3.2."""
        wrong = replace(batch, fields={self.attributes: one_changed(batch.fields[self.attributes])})
        return [generated, self.logits_of(self.judged(batch.x, wrong))]

    def code_error(self, batch: Batch) -> tuple[Scalar, Logs]:
        """Returns the mean squared error of codes found in images of G, eq. 2, which has their sum."""
        z = self.codes_like(batch)
        self.generator.eval()  # as samples are drawn; and its running statistics stay
        with torch.no_grad():
            x = self.generate(z, batch)
        self.generator.train(self.training)
        return mse_loss(self.code_encoder(x), z), {}

    def attribute_error(self, batch: Batch) -> tuple[Scalar, Logs]:
        """Returns the mean squared error of attributes found in real images, eq. 3, which has their sum."""
        return mse_loss(self.attribute_encoder(batch.x), self._signs(batch)), {}

    def _drawn(self, z: Codes, y: Signs) -> Images:
        return self.generator(torch.cat([z, y], dim=1))

    def _signs(self, batch: Batch) -> Signs:
        return signs(batch.fields[self.attributes])


class Discriminator(nn.Module):
    """Images and attributes to logits [b 1]; the attributes are planes after the first layer: section 3.2."""

    def __init__(self, config: DCGANConfig, spec: DataSpec, attributes: int) -> None:
        super().__init__()
        widths = [config.discriminator_channels * 2**k for k in range(doublings(spec))]
        self.first = downsample_stack([spec.channels, widths[0]])
        self.rest = nn.Sequential(
            downsample_stack([widths[0] + attributes, *widths[1:]], config.discriminator_norm),
            nn.Conv2d(widths[-1] + attributes * (len(widths) == 1), 1, first_size(spec)),
            nn.Flatten(),
        )

    def forward(self, x: Images, y: Signs) -> Logits:
        h = self.first(x)
        return self.rest(torch.cat([h, y[:, :, None, None].expand(-1, -1, *h.shape[2:])], dim=1))


def signs(attributes: Float[Tensor, "b k"]) -> Signs:
    """Returns −1 for 0 and 1 for 1."""
    return 2 * attributes - 1


def one_changed(attributes: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
    """Returns rows in which one attribute, each with the same chance, is another: never what the image shows."""
    which = torch.randint(attributes.shape[1], (len(attributes), 1), device=attributes.device)
    return attributes.scatter(1, which, 1 - attributes.gather(1, which))


def _encoder(config: IcGAN.Config, outputs: int, spec: DataSpec) -> nn.Sequential:
    """A net from images to rows of numbers."""
    widths = [config.encoder_channels * 2**k for k in range(doublings(spec))]
    height, width = first_size(spec)
    return nn.Sequential(
        downsample_stack([spec.channels, *widths]),
        nn.Flatten(),
        nn.Linear(widths[-1] * height * width, config.encoder_features, bias=False),
        nn.BatchNorm1d(config.encoder_features),
        nn.LeakyReLU(0.2),
        nn.Linear(config.encoder_features, outputs),
    )
