"""pix2pix (Isola et al. 2017, arXiv:1611.07004): a U-Net translates one picture into another, D judges patches."""

from genpipe.interfaces.spec import DataSpec
from genpipe.nn.field_input import channel_count, verify_alike
from genpipe.nn.patch_discriminator import PatchConfig, PatchDiscriminator
from genpipe.nn.translating import TranslatingGAN, TranslatorConfig
from genpipe.nn.unet import UNet, UNetConfig


class Pix2Pix(TranslatingGAN):
    """The loss of G is eq. 4: D's opinion of patches, and λ times the L1 distance from the true image."""

    class Config(PatchConfig, UNetConfig, TranslatorConfig): ...

    def __init__(self, config: Config, spec: DataSpec) -> None:
        verify_alike(config.source, spec)
        given, size = channel_count(spec.fields[config.source]), (spec.height, spec.width)
        generator = UNet(config, given, spec.channels, size)
        super().__init__(config, spec, generator, PatchDiscriminator(config, given + spec.channels, size))
