"""Inpainting by a GAN (Demir & Unal 2018, arXiv:1803.07422): D judges the whole image and patches of it."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec, Kinds
from genpipe.interfaces.tensors import Images
from genpipe.interfaces.translation import Inpaints
from genpipe.nn.halving import Size, halved
from genpipe.nn.inpainting import InpaintingNet, Masks
from genpipe.nn.patch_discriminator import PatchConfig, PatchDiscriminator, PatchOutput
from genpipe.nn.patch_gan import PatchGAN, PatchGANConfig
from genpipe.nn.resnet_translator import ResNetConfig
from genpipe.nn.spectral import spectrally_normalized

Judges = Literal["patches", "image", "both"]


class InpaintGAN(PatchGAN, Inpaints):
    """A dilated G fills the hole; what D and the L1 distance see is the composite with the known pixels."""

    class Config(PatchGANConfig, ResNetConfig):
        mask: str = "holes"
        """Field with the mask of each image, 1 in the hole."""
        judges: Judges = "both"
        """What D gives a logit to: patches, the whole image, or both, with equal weight."""

    def __init__(self, config: Config, spec: DataSpec) -> None:
        size = (spec.height, spec.width)
        judging = TwoHeadedDiscriminator(config, config.judges, spec.channels, size)
        super().__init__(config, InpaintingNet(config, spec.channels, size), judging)
        self.mask = config.mask

    @classmethod
    def needed_fields(cls, config: Any) -> Mapping[str, Kinds]:
        return {config.mask: "mask"}

    def inpaint(self, x: Images, mask: Masks, rng: torch.Generator) -> Images:
        return self.generator(x, mask)

    def fake(self, batch: Batch) -> Images:
        return self.generator(batch.x, batch.fields[self.mask])


class TwoHeadedDiscriminator(PatchDiscriminator):
    """Layers that a head for patches and one for the whole image share: figure 2 of the paper. Raises Unsuitable."""

    def __init__(self, config: PatchConfig, judges: Judges, channels: int, size: Size) -> None:
        super().__init__(config, channels, size)
        self.judges = judges
        height, width = halved(size, config.discriminator_halvings + config.discriminator_scales - 1)
        *_, last = (layer for layer in self.scales[-1].modules() if isinstance(layer, nn.Conv2d))
        self.whole = nn.Sequential(nn.Flatten(), nn.Linear(last.in_channels * height * width, 1))
        if config.spectral_norm:
            spectrally_normalized(self.whole)

    def judge(self, x: Float[Tensor, "b c h w"]) -> PatchOutput:
        found = super().judge(x)
        if self.judges == "patches":
            return found
        whole = self.whole(found.features[-1])[:, :, None, None, None]
        if self.judges == "image":
            return PatchOutput(whole, found.features)
        alike = whole.expand(-1, -1, found.logits.shape[2], *found.logits.shape[3:])
        return PatchOutput(torch.cat([found.logits, alike], dim=2), found.features)
