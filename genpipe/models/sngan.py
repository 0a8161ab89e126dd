"""Spectrally normalised GAN (Miyato et al. 2018, arXiv:1802.05957), with the convolutions of DCGAN."""

from typing import Literal

from genpipe.interfaces import ImageSpec
from genpipe.nn import objectives
from genpipe.nn.adversarial import Unconditional
from genpipe.nn.spectral import spectrally_normalised
from genpipe.nn.strided import Strided, discriminator, generator, initialise


class SNGAN(Unconditional):
    """Every layer of D has largest singular value 1, which bounds its slope; it has no other norm."""

    class Config(Strided):
        loss: objectives.Loss = "hinge"
        discriminator_norm: Literal["none"] = "none"

    def __init__(self, config: Config, spec: ImageSpec) -> None:
        drawing = generator(config, config.latent_dim, spec)
        super().__init__(config, drawing, discriminator(config, spec.channels, spec))
        self.apply(initialise)
        spectrally_normalised(self.discriminator)
