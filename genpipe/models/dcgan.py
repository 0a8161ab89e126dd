"""Deep convolutional GAN (Radford et al. 2016, arXiv:1511.06434)."""

from genpipe.interfaces import ImageSpec
from genpipe.nn.adversarial import Unconditional
from genpipe.nn.strided import Strided, discriminator, generator, initialise


class DCGAN(Unconditional):
    """Strided and transposed convolutions without hidden dense layers; the guidelines are in section 3 of the paper."""

    class Config(Strided): ...

    def __init__(self, config: Config, spec: ImageSpec) -> None:
        drawing = generator(config, config.latent_dim, spec)
        super().__init__(config, drawing, discriminator(config, spec.channels, spec))
        self.apply(initialise)
