"""Self-attention GAN (Zhang et al. 2019, arXiv:1805.08318), without labels."""

from genpipe.interfaces.spec import DataSpec
from genpipe.nn import objectives
from genpipe.nn.adversarial import UnconditionalGAN
from genpipe.nn.heads import PlainHead
from genpipe.nn.orthogonal import initialize_orthogonally
from genpipe.nn.residual import Discriminator, Generator, Residual
from genpipe.nn.spectral import spectrally_normalized


class SAGAN(UnconditionalGAN):
    """Residual blocks with self-attention, and spectral normalization in both players (sections 3 and 4)."""

    class Config(Residual):
        loss: objectives.Loss = "hinge"
        attention_size: int | None = 8

    def __init__(self, config: Config, spec: DataSpec) -> None:
        drawing = Generator(config, config.latent_dim, spec)
        super().__init__(config, drawing, Discriminator(config, spec, PlainHead))
        self.apply(initialize_orthogonally)
        spectrally_normalized(self)
