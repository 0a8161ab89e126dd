"""SRGAN (Ledig et al. 2017, arXiv:1609.04802): small images are enlarged two, four or eight times, with detail."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import mse_loss

from genpipe.errors import Unsuitable
from genpipe.interfaces.extractors import Extractor
from genpipe.interfaces.features import HasFeatures
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.phases import Batch, Phase
from genpipe.interfaces.prerequisites import HasPrerequisites, Prerequisites
from genpipe.interfaces.spec import DataSpec, Kinds
from genpipe.interfaces.tensors import Images, Logs, Scalar
from genpipe.interfaces.translation import Translates
from genpipe.nn.patch_discriminator import PatchDiscriminator, PatchOutput
from genpipe.nn.patch_gan import PatchGAN, PatchGANConfig
from genpipe.nn.super_resolution import FACTORS, SRResNet, SRResNetConfig


class SRGAN(PatchGAN, Translates, HasPrerequisites):
    """An SRResNet, trained by the squared error first, and then by content, nearness and a discriminator: eq. 3.

    The content is what a net says of an image. The paper takes VGG-19; here it is an extractor that `reference` has
    trained, by default the classifier of the data set. Without the second part it is the paper's SRResNet.
    """

    class Config(PatchGANConfig, SRResNetConfig):
        source: str = "low_resolution"
        """Field with the small image."""
        pretraining_share: Annotated[float, Field(ge=0, le=1)] = 0.5
        """Share of the training in which G learns by the squared error alone; 1: an SRResNet."""
        l1_weight: Annotated[float, Field(ge=0)] = 1.0
        adversarial_weight: Annotated[float, Field(ge=0)] = 1e-2
        content_weight: Annotated[float, Field(ge=0)] = 0.1
        """Weight of the squared error of an extractor's features in G's loss, as a share of their mean square."""
        content_extractor: str = "classifier"
        """The extractor, as `reference` in params.yaml calls it."""

    config: Config

    def __init__(self, config: Config, spec: DataSpec) -> None:
        drawing = SRResNet(config, spec.channels, _factor(config.source, spec))
        super().__init__(config, drawing, PatchDiscriminator(config, spec.channels, (spec.height, spec.width)))
        self.source = config.source
        self.content_of: tuple[HasFeatures, ...] = ()  # no weights of its own, in a tuple

    @classmethod
    def needed_fields(cls, config: Any) -> Mapping[str, Kinds]:
        return {config.source: "image"}

    @classmethod
    def prerequisites(cls, config: Any) -> Prerequisites:
        return Prerequisites(extractors=(config.content_extractor,) if config.content_weight else ())

    def use(self, extractors: Mapping[str, Extractor], models: Mapping[str, Generative]) -> None:
        for name, extractor in extractors.items():
            if not isinstance(extractor, HasFeatures):
                raise Unsuitable(
                    f"the content of images has to be that of an extractor with a gradient, and {name} has none. Write "
                    "`content_extractor: classifier`, or `content_weight: 0`."
                )
            self.content_of = (extractor,)

    def phases(self) -> list[Phase]:
        first, then = (0.0, self.config.pretraining_share), (self.config.pretraining_share, 1.0)
        pretraining = Phase("pretraining", self.generator, self.squared_error, during=first)
        return [pretraining, *(replace(phase, during=then) for phase in super().phases())]

    def translate(self, source: Tensor, rng: torch.Generator) -> Images:
        return self.generator(source).clamp(-1, 1)

    def fake(self, batch: Batch) -> Images:
        return self.generator(batch.fields[self.source])

    def squared_error(self, batch: Batch) -> tuple[Scalar, Logs]:
        """Returns the mean squared error of pixels in [-1, 1], eq. 4."""
        return mse_loss(self.fake(batch), batch.x), {}

    def generator_terms(self, fake: Images, of_fake: PatchOutput, batch: Batch) -> Mapping[str, Scalar]:
        terms = dict(super().generator_terms(fake, of_fake, batch))
        if self.content_of:
            terms["content"] = self.config.content_weight * content_error(self.content_of[0], fake, batch.x)
        return terms


def content_error(extractor: HasFeatures, fake: Images, real: Images) -> Scalar:
    """Returns the squared error of an extractor's last maps, over their mean square in real images: eq. 5, scaled."""
    found, wanted = (_last_map(extractor.features(x)) for x in (fake, real))
    return mse_loss(found, wanted) / wanted.square().mean()


def _last_map(features: list[Tensor]) -> Tensor:
    return [of for of in features if of.ndim == 4][-1]


def _factor(source: str, spec: DataSpec) -> int:
    """How many times an image is as large as its source. Raises Unsuitable."""
    given, height, width = spec.fields[source].shape, spec.height, spec.width
    factor = height // given[1]
    if factor not in FACTORS or given != (spec.channels, height // factor, width // factor) or height % factor:
        raise Unsuitable(
            f"the field '{source}' has {'×'.join(map(str, given))} values, and images have {spec.channels}×{height}×"
            f"{width}. Height and width have to be 1, 2, 4 or 8 times those of the field, with as many channels: write "
            "`derive: {low_resolution: {factor: 4}}` for the data set."
        )
    return factor
