"""Denoising variational autoencoder (Im et al. 2017, arXiv:1511.06406)."""

from genpipe.interfaces import (
    Batch,
    Codes,
    Decodes,
    Encodes,
    Generative,
    Images,
    ImageSpec,
    Logs,
    Phase,
    Reconstructs,
    Scalar,
)
from genpipe.nn.bodies import decoder, encoder
from genpipe.nn.corruption import Corruption, corrupted
from genpipe.nn.priors import StandardNormalPrior
from genpipe.nn.variational import Variational, negative_bound


class DenoisingVAE(StandardNormalPrior, Generative, Encodes, Decodes, Reconstructs):
    """q(z|x̃) of a corrupted image x̃ is to explain the clean x: the posterior of x is a mixture over all x̃."""

    class Config(Corruption, Variational): ...

    def __init__(self, config: Config, spec: ImageSpec) -> None:
        super().__init__(config, spec)
        self.config, self.latent_dim = config, config.latent_dim
        self.encoder = encoder(config, spec, 2 * config.latent_dim)
        self.decoder = decoder(config, config.latent_dim, spec)

    def phases(self) -> list[Phase]:
        return [Phase("autoencoder", self, self.loss)]

    def loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """Negative denoising variational lower bound in nats per image, eq. 9, with one draw of x̃ and of z."""
        posterior = self.posterior(corrupted(batch.x, self.config))
        return negative_bound(batch.x, posterior, self.decode, self.config)

    def posterior(self, x: Images) -> tuple[Codes, Codes]:
        """μ and log σ² of q(z|x)."""
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        return mu, logvar

    def encode(self, x: Images) -> Codes:
        return self.posterior(x)[0]

    def decode(self, z: Codes) -> Images:
        return self.decoder(z)

    def reconstruct(self, x: Images) -> Images:
        return self.decode(self.encode(x))
