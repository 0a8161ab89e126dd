"""A GAN of images that have a truth beside them: D judges patches, and G's images are also to be near the truth."""

from collections.abc import Mapping
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.tensors import Images, Scalar
from genpipe.nn import objectives
from genpipe.nn.adversarial import AdversarialModel
from genpipe.nn.feature_matching import feature_matching
from genpipe.nn.game import AdversarialConfig
from genpipe.nn.patch_discriminator import PatchConfig, PatchDiscriminator, PatchOutput


class PatchGANConfig(AdversarialConfig, PatchConfig):
    """Knobs of the game, of D, and of what G's loss has besides the game."""

    l1_weight: Annotated[float, Field(ge=0)] = 100.0
    """Weight of the mean |G − x| in G's loss."""
    adversarial_weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of D's opinion in G's loss; 0: D learns, and G does not listen."""
    feature_matching_weight: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the difference of D's layers in G's loss."""

    @model_validator(mode="after")
    def _matches_like_with_like(self) -> "PatchGANConfig":
        if self.feature_matching_weight and self.augment != "none":
            raise ValueError(
                "`feature_matching_weight` compares layers image by image, and `augment` shows D each image changed "
                "in another way; set one of them to 0 or none"
            )
        return self


class PatchGAN(AdversarialModel):
    """A GAN whose `discriminator` is a PatchDiscriminator; `batch.x` is the truth of each of G's images."""

    config: PatchGANConfig
    discriminator: PatchDiscriminator

    def __init__(self, config: PatchGANConfig, generator: nn.Module, discriminator: PatchDiscriminator) -> None:
        super().__init__(config, generator, discriminator)
        self.adversarial_weight = config.adversarial_weight

    def discriminate(self, x: Float[Tensor, "b k h w"], batch: Batch) -> PatchOutput:
        return self.discriminator.judge(x)

    @staticmethod
    def logits_of(output: PatchOutput) -> objectives.Logits:
        return output.logits

    def generator_terms(self, fake: Images, of_fake: PatchOutput, batch: Batch) -> Mapping[str, Scalar]:
        terms = {}
        if self.config.l1_weight:
            terms["l1"] = self.config.l1_weight * l1_loss(fake, batch.x)
        if self.config.feature_matching_weight:
            with torch.no_grad():
                of_real = self.judged(batch.x, batch)
            matching = feature_matching(of_real.features, of_fake.features)
            terms["feature_matching"] = self.config.feature_matching_weight * matching
        return terms
