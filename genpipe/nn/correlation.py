"""The decomposition of the KL of codes, with their total correlation (Chen et al. 2018, arXiv:1802.04942)."""

from math import log, pi
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from genpipe.interfaces.tensors import Codes, Scalar

Sampling = Literal["weighted", "stratified"]


class Parts(NamedTuple):
    """The parts of E KL(q(z|n) ‖ p(z)) over the training images n, in nats, eq. 2; together they are a sampled KL."""

    index_code_mi: Scalar
    """I(z; n), the mutual information of codes and images."""
    total_correlation: Scalar
    """KL(q(z) ‖ ∏ q(z_j)), the total correlation of the numbers of a code."""
    marginal_kl: Scalar
    """Σ KL(q(z_j) ‖ p(z_j)), the marginal KL of each number from the prior."""


def kl_decomposition(
    z: Codes, posterior: tuple[Codes, Codes], training_images: int, sampling: Sampling = "stratified"
) -> Parts:
    """Estimates the parts from one code z per image; the batch's q(z|n) represent those of all training images."""
    mu, logvar = posterior
    log_q = log_normal(z[:, None], mu, logvar)  # of code i, number j under image n: [i n j]
    log_own = log_normal(z, mu, logvar).sum(1)
    weights = log_image_weights(len(z), training_images, sampling).to(log_q)
    log_aggregate = (log_q.sum(2) + weights).logsumexp(1)
    log_marginals = (log_q + weights[..., None]).logsumexp(1).sum(1)
    log_prior = log_normal(z, torch.zeros_like(z), torch.zeros_like(z)).sum(1)
    return Parts(
        (log_own - log_aggregate).mean(), (log_aggregate - log_marginals).mean(), (log_marginals - log_prior).mean()
    )


def log_normal(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Returns log N(z; μ, σ²) of each number, in nats."""
    return -0.5 * ((z - mu).square() * torch.exp(-logvar) + logvar + log(2 * pi))


def log_image_weights(batch: int, training_images: int, sampling: Sampling) -> Float[Tensor, "b b"]:
    """Returns the weight of each image of a batch in q(z) = (1/N) Σ q(z|n) at a code of each: log weights [code image].

    "weighted": 1/(N·M) for all of the M images, eq. 3, which is lower than q(z) on average. "stratified": 1/N for the
    code's own image, which is sure to be in the batch, and (N − 1)/N shared among the others: on average this is q(z),
    as in appendix C.2, where one of the others has less weight and the rest more.
    """
    N, M = training_images, batch
    if sampling == "weighted" or M == 1:
        return torch.full((M, M), -log(N * M))
    others = (N - 1) / (N * (M - 1))
    weights = torch.full((M, M), others).fill_diagonal_(1 / N)
    return weights.log()
