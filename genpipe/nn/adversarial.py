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
from genpipe.interfaces.sampling import SamplingConfig
from genpipe.interfaces.tensors import Codes, Images, Labels, Logs, Scalar
from genpipe.nn import augmentation, objectives, penalties
from genpipe.nn.labels import known
from genpipe.nn.layers import layer_outputs
from genpipe.nn.priors import StandardNormalPrior
from genpipe.schema import Strict

DiscriminatorOutput = Float[Tensor, "b k"]
"""D's output for images: the logit first, then further columns if the head has more outputs."""


class GANConfig(Strict):
    """Knobs of the generator and the discriminator."""

    latent_dim: Annotated[int, Field(ge=1)] = 100
    loss: objectives.Loss = "non-saturating"
    penalty: penalties.Kind = "none"
    """The penalty on D's gradient with respect to images, or on its change under augmentation."""
    penalty_weight: Annotated[float, Field(gt=0)] = 10.0
    penalty_interval: Annotated[int, Field(ge=1)] = 1
    """Updates of D between penalties; each penalty is multiplied by this number."""
    discriminator_steps: Annotated[int, Field(ge=1)] = 1
    augment: augmentation.Kind = "none"
    """Random augmentation of the images that D sees."""
    ada_ramp_images: Annotated[int, Field(ge=1)] = 500_000
    """Fewest real images that D sees while the probability of `augment: ada` rises from 0 to 1."""

    @model_validator(mode="after")
    def _hears_a_sign(self) -> "GANConfig":
        if self.augment == "ada" and not objectives.OBJECTIVES[self.loss].signed:
            raise ValueError(f"`augment: ada` follows the sign of D's logits, which says nothing under {self.loss}")
        return self


class AdversarialModel(StandardNormalPrior, Generative):
    """A generator and a discriminator, trained in turns. Subclasses define further inputs besides codes and images."""

    class Sampling(SamplingConfig):
        truncation: Annotated[float, Field(gt=0)] | None = None
        """Bound on the numbers of a code (Brock et al. 2019, arXiv:1809.11096, section 3.1); null: none."""

    sampling: Sampling

    def __init__(self, config: GANConfig, generator: nn.Module, discriminator: nn.Module) -> None:
        nn.Module.__init__(self)
        self.config, self.latent_dim = config, config.latent_dim
        self.generator, self.discriminator = generator, discriminator
        self.penalty = penalties.Penalty(config.penalty, config.penalty_weight, config.penalty_interval)
        self.augment = augmentation.augmentation(config.augment, config.ada_ramp_images)
        if config.penalty in penalties.OF_GRADIENT:
            penalties.refuse_batch_norm(discriminator)

    @abstractmethod
    def generate(self, z: Codes, batch: Batch) -> Images:
        """Returns G's images of codes, given the allowed parts of the batch."""

    @abstractmethod
    def discriminate(self, x: Images, batch: Batch) -> DiscriminatorOutput:
        """Returns D's output for images, given the allowed parts of the batch."""

    def sampled_codes(self, n: int, rng: torch.Generator) -> Codes:
        """Returns the codes of n samples, truncated if `sample` says so."""
        threshold = self.sampling.truncation
        return self.prior(n, rng) if threshold is None else self.truncated_prior(n, threshold, rng)

    def phases(self) -> list[Phase]:
        turns = self.config.discriminator_steps
        return [
            Phase("discriminator", self.discriminator, self.discriminator_loss, repeats=turns),
            Phase("generator", self.generator, self.generator_loss),
        ]

    def discriminator_loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """Returns D's loss, with its additional terms."""
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
        """Returns G's loss, with its additional terms."""
        of_fake = self._seen(self.generate(self._codes_like(batch), batch), batch)
        compared = [_logit(self._seen(batch.x, batch))] if self._objective.compares else []
        terms = self.generator_terms(of_fake, batch)
        return _sum(self._objective.generator(_logit(of_fake), *compared), terms), _detached(terms)

    def discriminator_terms(
        self, of_real: DiscriminatorOutput, of_fake: DiscriminatorOutput, batch: Batch
    ) -> Mapping[str, Scalar]:
        """Returns additional terms of D's loss, by their names in the curves."""
        return {}

    def generator_terms(self, of_fake: DiscriminatorOutput, batch: Batch) -> Mapping[str, Scalar]:
        """Returns additional terms of G's loss, by their names in the curves."""
        return {}

    def _seen(self, x: Images, batch: Batch) -> DiscriminatorOutput:
        """What D says of images that were augmented."""
        return self.discriminate(self.augment(x), batch)

    @property
    def _objective(self) -> objectives.Objective:
        return objectives.OBJECTIVES[self.config.loss]

    def _codes_like(self, batch: Batch) -> Codes:
        return torch.randn(len(batch.x), self.latent_dim, device=batch.x.device)


class UnconditionalGAN(AdversarialModel, Decodes, HasFeatures):
    """A GAN whose G(z) gets codes [b latent_dim] and whose D(x) gets images."""

    def decode(self, z: Codes) -> Images:
        return self.generator(z)

    def sample(self, n: int, rng: torch.Generator) -> Images:
        return self.decode(self.sampled_codes(n, rng))

    def generate(self, z: Codes, batch: Batch) -> Images:
        return self.generator(z)

    def discriminate(self, x: Images, batch: Batch) -> DiscriminatorOutput:
        return self.discriminator(x)

    def features(self, x: Images) -> list[Tensor]:
        return layer_outputs(self.discriminator, lambda: self.discriminate(x, Batch(x)))


class ConditionalGAN(AdversarialModel, GeneratesClasses):
    """A GAN whose G(z, y) and D(x, y) also get labels: eq. 2 of Mirza & Osindero 2014 (arXiv:1411.1784).

    A generated image has the label of a real one, so that both come as often with each label. What D says after the
    logit are logits of classes: both players then also want every image to be taken for one of its class, as do those
    of Odena et al. 2017 (arXiv:1610.09585, eq. 3).
    """

    def __init__(self, config: GANConfig, generator: nn.Module, discriminator: nn.Module, class_count: int) -> None:
        super().__init__(config, generator, discriminator)
        self.class_count = class_count

    def sample_of(self, y: Labels, rng: torch.Generator) -> Images:
        return self.generator(self.sampled_codes(len(y), rng), y)

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
