"""The game of a generator and a discriminator (Goodfellow et al. 2014, arXiv:1406.2661)."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from genpipe.interfaces.classes import GeneratesClasses
from genpipe.interfaces.features import HasFeatures
from genpipe.interfaces.generative import Decodes, Generative
from genpipe.interfaces.phases import Batch, Phase
from genpipe.interfaces.tensors import Codes, Images, Labels, Logs, Scalar
from genpipe.interfaces.truncation import Truncates
from genpipe.nn import augmentation, objectives, penalties
from genpipe.nn.labels import known
from genpipe.nn.layers import layer_outputs
from genpipe.nn.priors import StandardNormalPrior
from genpipe.schema import Strict

DiscriminatorOutput = Float[Tensor, "b k"]
"""What D says of images: the logit first, and further columns where it has more to say."""


class GANConfig(Strict):
    """How the two play."""

    latent_dim: Annotated[int, Field(ge=1)] = 100
    loss: objectives.Loss = "non-saturating"
    penalty: penalties.Kind = "none"
    """On the gradient of D with respect to images, or on its change when they are moved."""
    penalty_weight: Annotated[float, Field(gt=0)] = 10.0
    penalty_every_turns: Annotated[int, Field(ge=1)] = 1
    """Of D; at each of these turns it is so many times as heavy."""
    discriminator_steps: Annotated[int, Field(ge=1)] = 1
    augment: augmentation.Kind = "none"
    """How images change at random before D sees them."""
    ada_ramp_images: Annotated[int, Field(ge=1)] = 500_000
    """Real images seen by D until the probability of `augment: ada` has gone from 0 to 1 at most."""

    @model_validator(mode="after")
    def _hears_a_sign(self) -> "GANConfig":
        if self.augment == "ada" and not objectives.OBJECTIVES[self.loss].signed:
            raise ValueError(f"`augment: ada` follows the sign of D's logits, which says nothing under {self.loss}")
        return self


class AdversarialModel(StandardNormalPrior, Generative):
    """A generator and a discriminator, trained in turns; what they are given besides codes and images is left open."""

    def __init__(self, config: GANConfig, generator: nn.Module, discriminator: nn.Module) -> None:
        nn.Module.__init__(self)
        self.config, self.latent_dim = config, config.latent_dim
        self.generator, self.discriminator = generator, discriminator
        self.penalty = penalties.Penalty(config.penalty, config.penalty_weight, config.penalty_every_turns)
        self.augment = augmentation.augmentation(config.augment, config.ada_ramp_images)
        if config.penalty in penalties.OF_GRADIENT:
            penalties.refuse_batch_norm(discriminator)

    @abstractmethod
    def generate(self, z: Codes, batch: Batch) -> Images:
        """G's images of codes, of what it may know of the batch."""

    @abstractmethod
    def discriminate(self, x: Images, batch: Batch) -> DiscriminatorOutput:
        """What D says of images, of what it may know of the batch."""

    def phases(self) -> list[Phase]:
        turns = self.config.discriminator_steps
        return [
            Phase("discriminator", self.discriminator, self.discriminator_loss, repeats=turns),
            Phase("generator", self.generator, self.generator_loss),
        ]

    def discriminator_loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """D's part of the objective, and the terms besides."""
        with torch.no_grad():
            fake = self.generate(self._codes_like(batch), batch)
        of_real, of_fake = self._seen(batch.x, batch), self._seen(fake, batch)
        real, generated = _logit(of_real), _logit(of_fake)
        self.augment.update(real.detach())
        terms = {
            **self.penalty(lambda x: _logit(self._seen(x, batch)), batch.x, fake),
            **self.discriminator_terms(of_real, of_fake, batch),
        }
        loss = self._objective.discriminator(real, generated)
        logs = objectives.logit_logs(self._objective, real, generated) | self.augment.logs()
        return _sum(loss, terms), {**logs, **_detached(terms)}

    def generator_loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """G's part of the objective, and the terms besides."""
        of_fake = self._seen(self.generate(self._codes_like(batch), batch), batch)
        compared = [_logit(self._seen(batch.x, batch))] if self._objective.compares else []
        terms = self.generator_terms(of_fake, batch)
        return _sum(self._objective.generator(_logit(of_fake), *compared), terms), _detached(terms)

    def discriminator_terms(
        self, of_real: DiscriminatorOutput, of_fake: DiscriminatorOutput, batch: Batch
    ) -> Mapping[str, Scalar]:
        """What D minimizes besides, by the name that it has in the curves."""
        return {}

    def generator_terms(self, of_fake: DiscriminatorOutput, batch: Batch) -> Mapping[str, Scalar]:
        """What G minimizes besides, by the name that it has in the curves."""
        return {}

    def _seen(self, x: Images, batch: Batch) -> DiscriminatorOutput:
        """What D says of images that were augmented."""
        return self.discriminate(self.augment(x), batch)

    @property
    def _objective(self) -> objectives.Objective:
        return objectives.OBJECTIVES[self.config.loss]

    def _codes_like(self, batch: Batch) -> Codes:
        return torch.randn(len(batch.x), self.latent_dim, device=batch.x.device)


class UnconditionalGAN(AdversarialModel, Decodes, Truncates, HasFeatures):
    """G(z) is given codes [b latent_dim] and D(x) images."""

    def decode(self, z: Codes) -> Images:
        return self.generator(z)

    def sample_within(self, n: int, threshold: float, rng: torch.Generator) -> Images:
        return self.decode(self.truncated_prior(n, threshold, rng))

    def generate(self, z: Codes, batch: Batch) -> Images:
        return self.generator(z)

    def discriminate(self, x: Images, batch: Batch) -> DiscriminatorOutput:
        return self.discriminator(x)

    def features(self, x: Images) -> list[Tensor]:
        return layer_outputs(self.discriminator, lambda: self.discriminate(x, Batch(x)))


class ConditionalGAN(AdversarialModel, GeneratesClasses, Truncates):
    """G(z, y) and D(x, y) are given labels too: eq. 2 of Mirza & Osindero 2014 (arXiv:1411.1784).

    A generated image has the label of a real one, so that both come as often with each label. What D says after the
    logit are logits of classes: both players then also want every image to be taken for one of its class, as do those
    of Odena et al. 2017 (arXiv:1610.09585, eq. 3).
    """

    def __init__(self, config: GANConfig, generator: nn.Module, discriminator: nn.Module, class_count: int) -> None:
        super().__init__(config, generator, discriminator)
        self.class_count = class_count

    def sample_of(self, y: Labels, rng: torch.Generator) -> Images:
        return self.generator(self.prior(len(y), rng), y)

    def sample_within(self, n: int, threshold: float, rng: torch.Generator) -> Images:
        z = self.truncated_prior(n, threshold, rng)
        return self.generator(z, self.in_turn(torch.arange(n, device=rng.device)))

    def generate(self, z: Codes, batch: Batch) -> Images:
        return self.generator(z, known(batch))

    def discriminate(self, x: Images, batch: Batch) -> DiscriminatorOutput:
        return self.discriminator(x, known(batch))

    def discriminator_terms(
        self, of_real: DiscriminatorOutput, of_fake: DiscriminatorOutput, batch: Batch
    ) -> Mapping[str, Scalar]:
        return self._of_classes((of_real, of_fake), batch)

    def generator_terms(self, of_fake: DiscriminatorOutput, batch: Batch) -> Mapping[str, Scalar]:
        return self._of_classes((of_fake,), batch)

    @staticmethod
    def _of_classes(said: tuple[DiscriminatorOutput, ...], batch: Batch) -> dict[str, Scalar]:
        if said[0].shape[1] == 1:
            return {}
        return {"classes": torch.stack([cross_entropy(columns[:, 1:], known(batch)) for columns in said]).sum()}


def _logit(said: DiscriminatorOutput) -> objectives.Logits:
    return said[:, :1]


def _sum(loss: Scalar, terms: Mapping[str, Scalar]) -> Scalar:
    return loss + sum(terms.values())


def _detached(terms: Mapping[str, Scalar]) -> dict[str, Tensor]:
    return {name: term.detach() for name, term in terms.items()}
