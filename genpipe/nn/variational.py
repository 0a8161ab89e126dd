"""Models with latent codes and a Gaussian q(z|x), and their bounds (Kingma & Welling 2014, arXiv:1312.6114)."""

from abc import abstractmethod
from collections.abc import Callable
from math import log
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from genpipe.interfaces.generative import Decodes, Generative, Reconstructs
from genpipe.interfaces.likelihood import HasImportanceWeights
from genpipe.interfaces.phases import Batch, Phase
from genpipe.interfaces.posterior import HasPosterior
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Codes, Images, Logs, Scalar
from genpipe.nn.encoder_decoder import EncoderDecoder, decoder, encoder
from genpipe.nn.likelihoods import Likelihood, Name, Outputs, likelihood
from genpipe.nn.priors import StandardNormalPrior

Posterior = tuple[Codes, Codes]
"""μ and log σ² of q(z|x) = N(μ, diag σ²)."""
Decoder = Callable[[Codes], Outputs]
_DECODED_VALUES = 2**20
"""The most numbers to decode at once if an image has many codes."""


class LatentVariable(EncoderDecoder):
    """Knobs of the nets of q(z|x) and p(x|z), and of the likelihood."""

    likelihood: Name = "gaussian"
    """The likelihood of an image, given its code."""
    decoder_variance: Annotated[float, Field(gt=0)] = 0.1
    """For gaussian: variance of each pixel value in [-1, 1]; a smaller one gives reconstruction more weight."""


class Variational(LatentVariable):
    """The same knobs, and the weight of the KL in the bound."""

    kl_weight: Annotated[float, Field(ge=0)] = 1.0
    """1 gives the evidence lower bound (β of a β-VAE)."""


class LatentVariableModel(StandardNormalPrior, Generative, HasPosterior, Decodes, Reconstructs, HasImportanceWeights):
    """p(z) = N(0, I), q(z|x) = N(μ(x), diag σ²(x)) and p(x|z) of the likelihood; subclasses define the training."""

    def __init__(self, config: LatentVariable, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.latent_dim = config.latent_dim
        self.likelihood = likelihood(config.likelihood, config.decoder_variance, spec)
        self.likelihood_of = self.likelihood.of
        self.encoder = encoder(config, spec, 2 * config.latent_dim)
        self.decoder = likelihood_decoder(config, config.latent_dim, spec, self.likelihood)

    def phases(self) -> list[Phase]:
        return [Phase("autoencoder", self, self.loss)]

    @abstractmethod
    def loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """Returns the loss in nats per image."""

    def posterior(self, x: Images) -> Posterior:
        mu, logvar = self.encoder(x).to(x.dtype).chunk(2, dim=1)
        return mu, logvar

    def decode(self, z: Codes) -> Images:
        return self.likelihood.mean(self.decoder(z))

    def reconstruct(self, x: Images) -> Images:
        return self.decode(self.encode(x))

    def log_weights(self, x: Images, draws: int, rng: torch.Generator) -> Float[Tensor, "draws b"]:
        return many_log_weights(x, self.posterior(x), self.decoder, self.likelihood, draws, rng)


def likelihood_decoder(config: EncoderDecoder, inputs: int, spec: DataSpec, given: Likelihood) -> nn.Sequential:
    """Returns a net from codes [b inputs] to the outputs that a likelihood needs."""
    outputs = DataSpec(given.outputs * spec.channels, spec.height, spec.width)
    return decoder(config, inputs, outputs, last=nn.Identity)


def negative_elbo(
    x: Images, posterior: Posterior, decode: Decoder, given: Likelihood, kl_weight: float
) -> tuple[Scalar, Logs]:
    """Returns the negative evidence lower bound in nats per image, eq. 3, with a weighted KL; both parts as logs.

    One code of each image is drawn from its posterior.
    """
    mu, logvar = posterior
    z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
    reconstruction = given.nll(x, decode(z)).mean()
    kl = kl_to_standard_normal(mu, logvar).mean()
    logs = {"reconstruction_nats": reconstruction.detach(), "kl_nats": kl.detach()}
    return reconstruction + kl_weight * kl, logs


def kl_to_standard_normal(mu: Codes, logvar: Codes) -> Float[Tensor, " b"]:
    """Returns KL(N(μ, diag σ²) ‖ N(0, I)) in nats, appendix B of the paper."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)


def iwae_loss(x: Images, posterior: Posterior, decode: Decoder, given: Likelihood, draws: int) -> tuple[Scalar, Logs]:
    """Returns the negative importance-weighted bound of some codes per image, in nats (arXiv:1509.00519, eq. 8).

    For one code it is the negative evidence lower bound with a KL that is sampled. How many codes weigh in is a log.
    """
    mu, _ = posterior
    noise = torch.randn(draws, *mu.shape, device=mu.device, dtype=mu.dtype)
    log_w = log_weights(x, posterior, noise, decode, given)
    effective = log_w.detach().softmax(0).square().sum(0).reciprocal().mean()
    return (log(draws) - log_w.logsumexp(0)).mean(), {"effective_codes": effective}


def log_weights(
    x: Images, posterior: Posterior, noise: Float[Tensor, "k b d"], decode: Decoder, given: Likelihood
) -> Float[Tensor, "k b"]:
    """Returns log p(x, z) − log q(z|x) in nats for the codes z = μ + σ·ε of a noise ε."""
    mu, logvar = posterior
    z = mu + torch.exp(0.5 * logvar) * noise
    k, b = z.shape[:2]
    nll = given.nll(x.expand(k, *x.shape).flatten(0, 1), decode(z.flatten(0, 1)))
    log_prior_ratio = 0.5 * (noise.square() + logvar - z.square()).sum(2)
    return log_prior_ratio - nll.view(k, b)


def many_log_weights(
    x: Images, posterior: Posterior, decode: Decoder, given: Likelihood, draws: int, rng: torch.Generator
) -> Float[Tensor, "draws b"]:
    """Returns the log weights of many codes per image, computed in parts that fit into memory."""
    mu, _ = posterior
    at_once = max(1, _DECODED_VALUES // (given.outputs * x.numel()))
    parts = [min(at_once, draws - done) for done in range(0, draws, at_once)]
    noises = (torch.randn(k, *mu.shape, generator=rng, device=mu.device, dtype=mu.dtype) for k in parts)
    return torch.cat([log_weights(x, posterior, noise, decode, given) for noise in noises])
