"""Conditional GAN (Mirza & Osindero 2014, arXiv:1411.1784), with the convolutions of DCGAN."""

from genpipe.interfaces.spec import DataSpec
from genpipe.nn.adversarial import ConditionalGAN
from genpipe.nn.labels import WithLabels, class_count
from genpipe.nn.strided import DCGANConfig, discriminator, generator, initialize


class CGAN(ConditionalGAN):
    """G(z, y) and D(x, y) in the bodies of Radford et al. 2016 (arXiv:1511.06434), labels at the inputs of both."""

    class Config(DCGANConfig): ...

    def __init__(self, config: Config, spec: DataSpec) -> None:
        k = class_count(spec)
        drawing = WithLabels(generator(config, config.latent_dim + k, spec), k)
        super().__init__(config, drawing, WithLabels(discriminator(config, spec.channels + k, spec), k), k)
        self.apply(initialize)
