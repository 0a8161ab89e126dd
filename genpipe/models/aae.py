"""Adversarial autoencoder (Makhzani et al. 2015, arXiv:1511.05644)."""

from itertools import pairwise
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import softplus

from genpipe.interfaces.phases import Batch, Phase
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Codes, Logs, Scalar
from genpipe.nn.autoencoding import Autoencoder
from genpipe.nn.encoder_decoder import EncoderDecoder, Width


class AAE(Autoencoder):
    """An autoencoder whose codes play the part of a generator's images: a critic tells them from draws of N(0, I).

    So the codes of all images together come to lie as the prior does, and samples decode what the decoder has seen.
    """

    class Config(EncoderDecoder):
        critic_widths: Annotated[list[Width], Field(min_length=1)] = [256, 256]

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        sizes = list(pairwise([config.latent_dim, *config.critic_widths]))
        hidden = [layer for i, o in sizes for layer in (nn.Linear(i, o), nn.LeakyReLU(0.2))]
        self.critic = nn.Sequential(*hidden, nn.Linear(config.critic_widths[-1], 1))

    def phases(self) -> list[Phase]:
        return [
            Phase("reconstruction", nn.ModuleList([self.encoder, self.decoder]), self.loss),
            Phase("critic", self.critic, self.critic_loss),
            Phase("generator", self.encoder, self.generator_loss),
        ]

    def critic_loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """−E log D(z) − E log(1 − D(encode(x))) in nats, z from the prior; section 2."""
        with torch.no_grad():
            z = self.encode(batch.x)
        prior, coded = self.logit(torch.randn_like(z)), self.logit(z)
        logs = {"d_prior": prior.detach().sigmoid().mean(), "d_codes": coded.detach().sigmoid().mean()}
        return softplus(-prior).mean() + softplus(coded).mean(), logs

    def generator_loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """−E log D(encode(x)) in nats: the encoder is to confuse the critic."""
        return softplus(-self.logit(self.encode(batch.x))).mean(), {}

    def logit(self, z: Codes) -> Float[Tensor, "b 1"]:
        """The logit of the critic's probability that a code was drawn from the prior."""
        return self.critic(z)
