"""The game of a generator and a discriminator (Goodfellow et al. 2014, arXiv:1406.2661)."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from genpipe.interfaces.classes import GeneratesClasses
from genpipe.interfaces.features import HasFeatures
from genpipe.interfaces.generative import Decodes, Generative
from genpipe.interfaces.phases import Batch, Phase
from genpipe.interfaces.sampling import SamplingConfig
from genpipe.interfaces.tensors import Codes, Images, Labels, Logs, Scalar
from genpipe.nn import objectives
from genpipe.nn.game import AdversarialConfig, Game
from genpipe.nn.labels import known
from genpipe.nn.layers import layer_outputs
from genpipe.nn.priors import StandardNormalPrior
from genpipe.schema import Strict

DiscriminatorOutput = Any
"""D's output for images: [b k *places] with the logit first, then further columns if the head has more outputs.

A model whose D gives something else says where the logits are: `logits_of`.
"""


class CodeConfig(Strict):
    """The knob of codes from N(0, I)."""

    latent_dim: Annotated[int, Field(ge=1)] = 100


class GANConfig(AdversarialConfig, CodeConfig):
    """Knobs of a game whose generator gets codes."""


class AdversarialModel(Generative):
    """A generator and a discriminator, trained in turns. Subclasses define what each of them gets."""

    adversarial_weight: float = 1.0
    """Weight of D's opinion in G's loss."""

    def __init__(self, config: AdversarialConfig, generator: nn.Module, discriminator: nn.Module) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.generator, self.discriminator = generator, discriminator
        self.game = Game(config, discriminator)

    @abstractmethod
    def fake(self, batch: Batch) -> Images:
        """Returns as many images of G as the batch has, given the allowed parts of it."""

    @abstractmethod
    def discriminate(self, x: Images, batch: Batch) -> DiscriminatorOutput:
        """Returns D's output for its input, given the allowed parts of the batch."""

    def discriminator_input(self, x: Images, batch: Batch) -> Float[Tensor, "b k h w"]:
        """Returns images, and after their channels those of maps beside them, which D sees moved like the images."""
        return x

    @staticmethod
    def logits_of(output: DiscriminatorOutput) -> objectives.Logits:
        """Returns the logits in D's output, one for each image or for each place."""
        return output[:, :1]

    def phases(self) -> list[Phase]:
        turns = self.config.discriminator_steps
        return [
            Phase("discriminator", self.discriminator, self.discriminator_loss, repeats=turns),
            Phase("generator", self.generator, self.generator_loss),
        ]

    def discriminator_loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """Returns D's loss, with its additional terms."""
        with torch.no_grad():
            fake = self.discriminator_input(self.fake(batch), batch)
        given = self.discriminator_input(batch.x, batch)
        of_real, of_fake = self._judged(given, batch), self._judged(fake, batch)
        loss, terms, logs = self.game.discriminator_loss(
            self.logits_of(of_real),
            self.refused(self.logits_of(of_fake), batch),
            lambda x: self.logits_of(self._judged(x, batch)),
            given,
            fake,
        )
        terms = {**terms, **self.discriminator_terms(of_real, of_fake, batch)}
        return _sum(loss, terms), {**logs, **_detached(terms)}

    def generator_loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """Returns G's loss, with its additional terms."""
        fake = self.fake(batch)
        of_fake = self.judged(fake, batch)
        real = self.logits_of(self.judged(batch.x, batch)) if self.game.objective.compares else None
        terms = self.generator_terms(fake, of_fake, batch)
        opinion = self.adversarial_weight * self.game.generator_loss(self.logits_of(of_fake), real)
        return _sum(opinion, terms), _detached(terms)

    def refused(self, generated: objectives.Logits, batch: Batch) -> list[objectives.Logits]:
        """Returns the logits of all that D learns to refuse, with equal weights: of generated images, and of others."""
        return [generated]

    def discriminator_terms(
        self, of_real: DiscriminatorOutput, of_fake: DiscriminatorOutput, batch: Batch
    ) -> Mapping[str, Scalar]:
        """Returns additional terms of D's loss, by their names in the curves."""
        return {}

    def generator_terms(self, fake: Images, of_fake: DiscriminatorOutput, batch: Batch) -> Mapping[str, Scalar]:
        """Returns additional terms of G's loss, by their names in the curves."""
        return {}

    def judged(self, x: Images, batch: Batch) -> DiscriminatorOutput:
        """Returns D's output for images that were augmented."""
        return self._judged(self.discriminator_input(x, batch), batch)

    def _judged(self, given: Float[Tensor, "b k h w"], batch: Batch) -> DiscriminatorOutput:
        return self.discriminate(self.game.augment(given, batch.x.shape[1]), batch)


class LatentGAN(StandardNormalPrior, AdversarialModel):
    """A GAN whose generator draws codes."""

    class Sampling(SamplingConfig):
        truncation: Annotated[float, Field(gt=0)] | None = None
        """Bound on the numbers of a code (Brock et al. 2019, arXiv:1809.11096, section 3.1); null: none."""

    sampling: Sampling

    def __init__(self, config: GANConfig, generator: nn.Module, discriminator: nn.Module) -> None:
        super().__init__(config, generator, discriminator)
        self.latent_dim = config.latent_dim

    @abstractmethod
    def generate(self, z: Codes, batch: Batch) -> Images:
        """Returns G's images of codes, given the allowed parts of the batch."""

    def fake(self, batch: Batch) -> Images:
        return self.generate(self.codes_like(batch), batch)

    def codes_like(self, batch: Batch) -> Codes:
        """Returns a code for each image of a batch."""
        return torch.randn(len(batch.x), self.latent_dim, device=batch.x.device)

    def sampled_codes(self, n: int, rng: torch.Generator) -> Codes:
        """Returns the codes of n samples, truncated if `sample` says so."""
        threshold = self.sampling.truncation
        return self.prior(n, rng) if threshold is None else self.truncated_prior(n, threshold, rng)


class UnconditionalGAN(LatentGAN, Decodes, HasFeatures):
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


class ConditionalGAN(LatentGAN, GeneratesClasses):
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

    def generator_terms(self, fake: Images, of_fake: DiscriminatorOutput, batch: Batch) -> Mapping[str, Scalar]:
        return self._of_classes((of_fake,), batch)

    @staticmethod
    def _of_classes(said: tuple[DiscriminatorOutput, ...], batch: Batch) -> dict[str, Scalar]:
        if said[0].shape[1] == 1:
            return {}
        return {"classes": torch.stack([cross_entropy(columns[:, 1:], known(batch)) for columns in said]).sum()}


def _sum(loss: Scalar, terms: Mapping[str, Scalar]) -> Scalar:
    return loss + sum(terms.values())


def _detached(terms: Mapping[str, Scalar]) -> dict[str, Tensor]:
    return {name: term.detach() for name, term in terms.items()}
