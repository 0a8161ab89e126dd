"""Deep autoencoder (Hinton & Salakhutdinov 2006, doi:10.1126/science.1127647)."""

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
from genpipe.nn.bodies import Body, decoder, encoder
from genpipe.nn.priors import StandardNormalPrior


class AE(StandardNormalPrior, Generative, Encodes, Decodes, Reconstructs):
    """An encoder to latent_dim numbers and a decoder back; nothing shapes the distribution of the codes.

    Its "samples" decode codes from N(0, I): the lectures' point is that they are poor.
    """

    class Config(Body): ...

    def __init__(self, config: Config, spec: ImageSpec) -> None:
        super().__init__(config, spec)
        self.latent_dim = config.latent_dim
        self.encoder = encoder(config, spec, config.latent_dim)
        self.decoder = decoder(config, config.latent_dim, spec)

    def phases(self) -> list[Phase]:
        return [Phase("autoencoder", self, self.loss)]

    def loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """‖x − x̂‖², summed over an image, averaged over the batch."""
        return (batch.x - self.reconstruct(batch.x)).square().flatten(1).sum(1).mean(), {}

    def encode(self, x: Images) -> Codes:
        return self.encoder(x)

    def decode(self, z: Codes) -> Images:
        return self.decoder(z)

    def reconstruct(self, x: Images) -> Images:
        return self.decode(self.encode(x))
