"""The evidence lower bound of variational autoencoders (Kingma & Welling 2014, arXiv:1312.6114)."""

from collections.abc import Callable
from math import log, pi
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from genpipe.interfaces import Codes, Images, Logs, Scalar
from genpipe.nn.bodies import Body


class Variational(Body):
    """The bodies of q(z|x) and of p(x|z) = N(x̂(z), decoder_variance · I), and how the bound weighs its two parts."""

    decoder_variance: Annotated[float, Field(gt=0)] = 0.1
    """Of each value of an image, on the scale of [-1, 1]; the smaller, the more reconstruction counts."""
    kl_weight: Annotated[float, Field(ge=0)] = 1.0
    """1 gives the evidence lower bound (β of a β-VAE)."""


def negative_bound(
    x: Images, posterior: tuple[Codes, Codes], decode: Callable[[Codes], Images], config: Variational
) -> tuple[Scalar, Logs]:
    """Negative evidence lower bound in nats per image, eq. 3 of the paper, with the KL weighted; both parts as logs.

    The posterior is given by its μ and log σ²; one code of each image is drawn from it.
    """
    mu, logvar = posterior
    z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
    reconstruction = negative_log_likelihood(x, decode(z), config.decoder_variance).mean()
    kl = kl_to_standard_normal(mu, logvar).mean()
    logs = {"reconstruction_nats": reconstruction.detach(), "kl_nats": kl.detach()}
    return reconstruction + config.kl_weight * kl, logs


def negative_log_likelihood(x: Images, mean: Images, variance: float) -> Float[Tensor, " b"]:
    """−log N(x; x̂, v · I) in nats per image: ‖x − x̂‖² / 2v + (d/2) log 2πv."""
    squared = (x - mean).square().flatten(1).sum(1)
    return squared / (2 * variance) + x[0].numel() / 2 * log(2 * pi * variance)


def kl_to_standard_normal(mu: Codes, logvar: Codes) -> Float[Tensor, " b"]:
    """KL(N(μ, diag σ²) ‖ N(0, I)) in nats, appendix B of the paper."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)
