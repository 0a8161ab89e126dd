"""Wasserstein GAN with gradient penalty (Gulrajani et al. 2017, arXiv:1704.00028), with the convolutions of DCGAN."""

from typing import Literal

from genpipe.interfaces.spec import DataSpec
from genpipe.nn.adversarial import UnconditionalGAN
from genpipe.nn.strided import DCGANConfig, discriminator, generator, initialize


class WGANGP(UnconditionalGAN):
    """A critic whose gradient is held near 1, so that what it says estimates a distance: algorithm 1 of the paper."""

    class Config(DCGANConfig):
        loss: Literal["wasserstein"] = "wasserstein"
        penalty: Literal["wgan-gp", "wgan-gp-one-sided"] = "wgan-gp"
        discriminator_norm: Literal["layer", "instance", "none"] = "layer"
        discriminator_steps: int = 5

    def __init__(self, config: Config, spec: DataSpec) -> None:
        drawing = generator(config, config.latent_dim, spec)
        super().__init__(config, drawing, discriminator(config, spec.channels, spec))
        self.apply(initialize)
