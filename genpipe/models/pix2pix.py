"""pix2pix (Isola et al. 2017, arXiv:1611.07004): a U-Net translates one picture into another, D judges patches."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec, Kinds
from genpipe.interfaces.tensors import Images
from genpipe.interfaces.translation import Translates
from genpipe.nn.field_input import KINDS, channel_count, channels, verify_alike
from genpipe.nn.patch_discriminator import PatchDiscriminator
from genpipe.nn.patch_gan import PatchGAN, PatchGANConfig
from genpipe.nn.unet import UNet, UNetConfig


class Pix2Pix(PatchGAN, Translates):
    """G(s) makes an image of the source s, D(s, x) sees both; the loss of G is eq. 4, the L1 distance λ times.

    There is no noise: the paper's generator ignored it (section 2).
    """

    class Config(PatchGANConfig, UNetConfig):
        source: str = "edges"
        """The name of the field that is translated into its image."""

    def __init__(self, config: Config, spec: DataSpec) -> None:
        verify_alike(config.source, spec)
        source = spec.fields[config.source]
        given, size = channel_count(source), (spec.height, spec.width)
        generator = UNet(config, given, spec.channels, size)
        super().__init__(config, generator, PatchDiscriminator(config, given + spec.channels, size))
        self.source, self.source_spec = config.source, source

    @classmethod
    def needed_fields(cls, config: Any) -> Mapping[str, Kinds]:
        return {config.source: KINDS}

    def translate(self, source: Tensor, rng: torch.Generator) -> Images:
        return self.generator(channels(source, self.source_spec))

    def fake(self, batch: Batch) -> Images:
        return self.generator(self._source(batch))

    def discriminator_input(self, x: Images, batch: Batch) -> Float[Tensor, "b k h w"]:
        return torch.cat([x, self._source(batch)], dim=1)

    def _source(self, batch: Batch) -> Float[Tensor, "b k h w"]:
        return channels(batch.fields[self.source], self.source_spec)
