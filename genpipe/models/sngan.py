"""Spectrally normalized GAN (Miyato et al. 2018, arXiv:1802.05957), with the convolutions of DCGAN."""

from typing import Literal

from genpipe.interfaces.spec import DataSpec
from genpipe.nn import objectives
from genpipe.nn.adversarial import UnconditionalGAN
from genpipe.nn.spectral import spectrally_normalized
from genpipe.nn.strided import DCGANConfig, discriminator, generator, initialize


class SNGAN(UnconditionalGAN):
    """Every layer of D has largest singular value 1, which bounds its slope; it has no other norm."""

    class Config(DCGANConfig):
        loss: objectives.Loss = "hinge"
        discriminator_norm: Literal["none"] = "none"

    def __init__(self, config: Config, spec: DataSpec) -> None:
        drawing = generator(config, config.latent_dim, spec)
        super().__init__(config, drawing, discriminator(config, spec.channels, spec))
        self.apply(initialize)
        spectrally_normalized(self.discriminator)
