"""The game of a translator, which gets a field of an item, and a discriminator, which sees it beside the image."""

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec, Kinds
from genpipe.interfaces.tensors import Images, Scalar
from genpipe.interfaces.translation import Translates
from genpipe.nn.adversarial import AdversarialConfig, AdversarialModel, DiscriminatorOutput
from genpipe.nn.field_input import KINDS, channels


class TranslatorConfig(AdversarialConfig):
    """Knobs of what is translated, and of the losses beside D's opinion."""

    source: str = "edges"
    """The name of the field that is translated into its image."""
    l1_weight: Annotated[float, Field(ge=0)] = 100.0
    """Of the mean absolute difference from the true image, in G's loss."""
    adversarial_weight: Annotated[float, Field(ge=0)] = 1.0
    """Of D's opinion in G's loss; 0: D learns, and G does not listen."""


class TranslatingGAN(AdversarialModel, Translates):
    """G(s) makes an image of the source s, D(s, x) sees both: eq. 1 of arXiv:1611.07004, without noise."""

    def __init__(
        self, config: TranslatorConfig, spec: DataSpec, generator: nn.Module, discriminator: nn.Module
    ) -> None:
        super().__init__(config, generator, discriminator)
        self.source, self.source_spec = config.source, spec.fields[config.source]
        self.adversarial_weight = config.adversarial_weight

    @classmethod
    def needed_fields(cls, config: Any) -> Mapping[str, Kinds]:
        return {config.source: KINDS}

    def translate(self, source: Tensor, rng: torch.Generator) -> Images:
        return self.generator(channels(source, self.source_spec))

    def fake(self, batch: Batch) -> Images:
        return self.generator(self._source(batch))

    def judged(self, x: Images, batch: Batch) -> Images:
        return torch.cat([self._source(batch), x], dim=1)

    def discriminate(self, x: Images, batch: Batch) -> DiscriminatorOutput:
        """Returns a logit for each patch of each image [b·patches 1]."""
        return self.discriminator(x).reshape(-1, 1)

    def generator_terms(self, fake: Images, of_fake: DiscriminatorOutput, batch: Batch) -> Mapping[str, Scalar]:
        return {"l1": self.config.l1_weight * l1_loss(fake, batch.x)} if self.config.l1_weight else {}

    def _source(self, batch: Batch) -> Tensor:
        return channels(batch.fields[self.source], self.source_spec)
