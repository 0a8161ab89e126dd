"""The game of a generator and a discriminator (Goodfellow et al. 2014, arXiv:1406.2661)."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import softplus

from genpipe.interfaces import Batch, Codes, Decodes, Generative, Images, Logs, Phase, Scalar
from genpipe.schema import Strict


class Game(Strict):
    """How the two play."""

    latent_dim: Annotated[int, Field(ge=1)] = 100
    generator_loss: Literal["non-saturating", "minimax"] = "non-saturating"
    discriminator_steps: Annotated[int, Field(ge=1)] = 1


class Adversarial(Generative, Decodes):
    """A generator [b latent_dim] → images and a discriminator images → logits [b 1], trained in turns.

    The discriminator's output is the logit of D(x), so log D = −softplus(−logit) and log(1 − D) = −softplus(logit).
    """

    def __init__(self, game: Game, generator: nn.Module, discriminator: nn.Module) -> None:
        nn.Module.__init__(self)
        self.game, self.generator, self.discriminator = game, generator, discriminator

    def phases(self) -> list[Phase]:
        turns = self.game.discriminator_steps
        return [
            Phase("discriminator", self.discriminator, self.discriminator_loss, repeats=turns),
            Phase("generator", self.generator, self.generator_loss),
        ]

    def discriminator_loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """−E log D(x) − E log(1 − D(G(z))) in nats: the negative value of the game, eq. 1."""
        with torch.no_grad():
            fake = self.generator(self._codes_like(batch))
        real_logit, fake_logit = self.discriminator(batch.x), self.discriminator(fake)
        logs = {"d_real": real_logit.detach().sigmoid().mean(), "d_fake": fake_logit.detach().sigmoid().mean()}
        return softplus(-real_logit).mean() + softplus(fake_logit).mean(), logs

    def generator_loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """−E log D(G(z)), or E log(1 − D(G(z))) for the minimax game, in nats; section 3 of the paper."""
        logit = self.discriminator(self.generator(self._codes_like(batch)))
        if self.game.generator_loss == "minimax":
            return -softplus(logit).mean(), {}
        return softplus(-logit).mean(), {}

    def prior(self, n: int, rng: torch.Generator) -> Codes:
        return torch.randn(n, self.game.latent_dim, generator=rng, device=rng.device)

    def decode(self, z: Codes) -> Images:
        return self.generator(z)

    def _codes_like(self, batch: Batch) -> Codes:
        return torch.randn(len(batch.x), self.game.latent_dim, device=batch.x.device)
