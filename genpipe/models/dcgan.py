"""Deep convolutional GAN (Radford et al. 2016, arXiv:1511.06434)."""

from genpipe.interfaces.spec import DataSpec
from genpipe.nn.adversarial import UnconditionalGAN
from genpipe.nn.strided import DCGANConfig, discriminator, generator, initialize


class DCGAN(UnconditionalGAN):
    """Strided and transposed convolutions without hidden dense layers; the guidelines are in section 3 of the paper."""

    class Config(DCGANConfig): ...

    def __init__(self, config: Config, spec: DataSpec) -> None:
        drawing = generator(config, config.latent_dim, spec)
        super().__init__(config, drawing, discriminator(config, spec.channels, spec))
        self.apply(initialize)
