"""The game of a generator and a discriminator (Goodfellow et al. 2014, arXiv:1406.2661)."""

from abc import abstractmethod
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import softplus

from genpipe.interfaces import (
    Batch,
    Codes,
    Decodes,
    GeneratesClasses,
    Generative,
    Images,
    Labels,
    Logs,
    Phase,
    Scalar,
)
from genpipe.nn.labels import known
from genpipe.nn.priors import StandardNormalPrior
from genpipe.schema import Strict

Logits = Float[Tensor, "b 1"]


class Game(Strict):
    """How the two play."""

    latent_dim: Annotated[int, Field(ge=1)] = 100
    generator_loss: Literal["non-saturating", "minimax"] = "non-saturating"
    discriminator_steps: Annotated[int, Field(ge=1)] = 1


class Adversarial(StandardNormalPrior, Generative):
    """A generator and a discriminator, trained in turns; what they are given besides codes and images is left open.

    The discriminator's output is the logit of D(x), so log D = −softplus(−logit) and log(1 − D) = −softplus(logit).
    """

    def __init__(self, game: Game, generator: nn.Module, discriminator: nn.Module) -> None:
        nn.Module.__init__(self)
        self.game, self.latent_dim = game, game.latent_dim
        self.generator, self.discriminator = generator, discriminator

    @abstractmethod
    def generated(self, z: Codes, batch: Batch) -> Images:
        """G's images of codes, of what it may know of the batch."""

    @abstractmethod
    def logit(self, x: Images, batch: Batch) -> Logits:
        """The logit of D of images, of what it may know of the batch."""

    def phases(self) -> list[Phase]:
        turns = self.game.discriminator_steps
        return [
            Phase("discriminator", self.discriminator, self.discriminator_loss, repeats=turns),
            Phase("generator", self.generator, self.generator_loss),
        ]

    def discriminator_loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """−E log D(x) − E log(1 − D(G(z))) in nats: the negative value of the game, eq. 1."""
        with torch.no_grad():
            fake = self.generated(self._codes_like(batch), batch)
        real_logit, fake_logit = self.logit(batch.x, batch), self.logit(fake, batch)
        logs = {"d_real": real_logit.detach().sigmoid().mean(), "d_fake": fake_logit.detach().sigmoid().mean()}
        return softplus(-real_logit).mean() + softplus(fake_logit).mean(), logs

    def generator_loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """−E log D(G(z)), or E log(1 − D(G(z))) for the minimax game, in nats; section 3 of the paper."""
        logit = self.logit(self.generated(self._codes_like(batch), batch), batch)
        if self.game.generator_loss == "minimax":
            return -softplus(logit).mean(), {}
        return softplus(-logit).mean(), {}

    def _codes_like(self, batch: Batch) -> Codes:
        return torch.randn(len(batch.x), self.latent_dim, device=batch.x.device)


class Unconditional(Adversarial, Decodes):
    """G(z) is given codes [b latent_dim] and D(x) images."""

    def decode(self, z: Codes) -> Images:
        return self.generator(z)

    def generated(self, z: Codes, batch: Batch) -> Images:
        return self.generator(z)

    def logit(self, x: Images, batch: Batch) -> Logits:
        return self.discriminator(x)


class ClassConditional(Adversarial, GeneratesClasses):
    """G(z, y) and D(x, y) are given labels too: eq. 2 of Mirza & Osindero 2014 (arXiv:1411.1784).

    A generated image has the label of a real one, so that both come as often with each label.
    """

    def __init__(self, game: Game, generator: nn.Module, discriminator: nn.Module, class_count: int) -> None:
        super().__init__(game, generator, discriminator)
        self.class_count = class_count

    def sample_of(self, y: Labels, rng: torch.Generator) -> Images:
        return self.generator(self.prior(len(y), rng), y)

    def generated(self, z: Codes, batch: Batch) -> Images:
        return self.generator(z, known(batch))

    def logit(self, x: Images, batch: Batch) -> Logits:
        return self.discriminator(x, known(batch))
