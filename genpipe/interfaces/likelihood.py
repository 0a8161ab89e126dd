"""Likelihoods of images."""

from abc import ABC, abstractmethod
from math import log
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from genpipe.interfaces.tensors import Images

Measure = Literal["density", "256 levels", "2 levels"]
"""The kind of likelihood: a density over pixel values in [-1, 1], or a probability of levels."""


class HasLikelihood(ABC):
    """Computes the likelihood of an image."""

    likelihood_of: Measure

    @abstractmethod
    def log_likelihood(self, x: Images, draws: int, rng: torch.Generator) -> Float[Tensor, " b"]:
        """Returns log p(x) in nats; an estimate is a lower bound on average that rises with the draws of rng."""


class HasImportanceWeights(HasLikelihood):
    """Bounds the likelihood of an image by importance sampling of its codes."""

    @abstractmethod
    def log_weights(self, x: Images, draws: int, rng: torch.Generator) -> Float[Tensor, "draws b"]:
        """log p(x, z) − log q(z|x) of codes z drawn from q(z|x), in nats; on average the evidence lower bound."""

    def log_likelihood(self, x: Images, draws: int, rng: torch.Generator) -> Float[Tensor, " b"]:
        """Returns the log of the mean weight (Burda et al. 2016, arXiv:1509.00519, eq. 8), summed in float64."""
        return self.log_weights(x, draws, rng).double().logsumexp(0) - log(draws)
