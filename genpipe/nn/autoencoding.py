"""The common parts of autoencoders: encoder, decoder, and one loss for all weights."""

from jaxtyping import Float
from torch import Tensor, nn

from genpipe.interfaces.generative import Decodes, Encodes, Generative, Reconstructs
from genpipe.interfaces.phases import Batch, Phase
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Codes, Images, Logs, Scalar
from genpipe.nn.encoder_decoder import EncoderDecoder, decoder, encoder
from genpipe.nn.priors import StandardNormalPrior

NEAR_ZERO = 0.01
"""A unit of a code is silent if it is below this share of the root mean square of all units."""


class Autoencoding(Generative, Encodes, Decodes, Reconstructs):
    """x̂ = decode(encode(x)), trained in one phase by a loss that is ‖x − x̂‖² unless a model has another."""

    def phases(self) -> list[Phase]:
        return [Phase("autoencoder", self, self.loss)]

    def loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """‖x − x̂‖², summed over an image, averaged over the batch."""
        return squared_error(batch.x, self.reconstruct(batch.x)), {}

    def reconstruct(self, x: Images) -> Images:
        return self.decode(self.encode(x))


class Autoencoder(StandardNormalPrior, Autoencoding):
    """An encoder to latent_dim numbers and a decoder that is its mirror; samples decode codes from N(0, I)."""

    def __init__(self, config: EncoderDecoder, spec: DataSpec) -> None:
        nn.Module.__init__(self)
        self.latent_dim = config.latent_dim
        self.encoder = encoder(config, spec, config.latent_dim)
        self.decoder = decoder(config, config.latent_dim, spec)

    def encode(self, x: Images) -> Codes:
        return self.encoder(x)

    def decode(self, z: Codes) -> Images:
        return self.decoder(z)


def squared_error(x: Images, mean: Images) -> Scalar:
    """‖x − x̂‖², summed over an image, averaged over the batch."""
    return (x - mean).square().flatten(1).sum(1).mean()


def l1(z: Codes) -> Scalar:
    """Σⱼ |zⱼ| of a code, averaged over the batch."""
    return z.abs().sum(1).mean()


def sparsity(z: Float[Tensor, "b d"]) -> Scalar:
    """The share of the units of all codes that are near zero, from 0 to 1; the scale of the codes does not matter."""
    return (z.abs() <= NEAR_ZERO * z.square().mean().sqrt()).float().mean()
