"""Variational autoencoder (Kingma & Welling 2014, arXiv:1312.6114)."""

from math import log, pi
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

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


class VAE(Generative, Encodes, Decodes, Reconstructs):
    """q(z|x) = N(μ(x), diag σ²(x)), p(z) = N(0, I), p(x|z) = N(x̂(z), decoder_variance · I)."""

    class Config(Body):
        decoder_variance: Annotated[float, Field(gt=0)] = 0.1
        """Of each value of an image, on the scale of [-1, 1]; the smaller, the more reconstruction counts."""
        kl_weight: Annotated[float, Field(ge=0)] = 1.0
        """1 gives the evidence lower bound (β of a β-VAE)."""

    def __init__(self, config: Config, spec: ImageSpec) -> None:
        super().__init__(config, spec)
        self.config = config
        self.encoder = encoder(config, spec, 2 * config.latent_dim)
        self.decoder = decoder(config, spec)

    def phases(self) -> list[Phase]:
        return [Phase("autoencoder", self, self.loss)]

    def loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """Negative evidence lower bound in nats per image, eq. 3 of the paper, with the KL weighted."""
        mu, logvar = self.posterior(batch.x)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        reconstruction = self.negative_log_likelihood(batch.x, self.decode(z)).mean()
        kl = kl_to_standard_normal(mu, logvar).mean()
        logs = {"reconstruction_nats": reconstruction.detach(), "kl_nats": kl.detach()}
        return reconstruction + self.config.kl_weight * kl, logs

    def posterior(self, x: Images) -> tuple[Codes, Codes]:
        """μ and log σ² of q(z|x)."""
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        return mu, logvar

    def negative_log_likelihood(self, x: Images, mean: Images) -> Float[Tensor, " b"]:
        """−log p(x|z) in nats per image: ‖x − x̂‖² / 2v + (d/2) log 2πv."""
        v = self.config.decoder_variance
        squared = (x - mean).square().flatten(1).sum(1)
        return squared / (2 * v) + x[0].numel() / 2 * log(2 * pi * v)

    def encode(self, x: Images) -> Codes:
        return self.posterior(x)[0]

    def decode(self, z: Codes) -> Images:
        return self.decoder(z)

    def reconstruct(self, x: Images) -> Images:
        return self.decode(self.encode(x))

    def prior(self, n: int, rng: torch.Generator) -> Codes:
        return torch.randn(n, self.config.latent_dim, generator=rng, device=rng.device)


def kl_to_standard_normal(mu: Codes, logvar: Codes) -> Float[Tensor, " b"]:
    """KL(N(μ, diag σ²) ‖ N(0, I)) in nats, appendix B of the paper."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)
