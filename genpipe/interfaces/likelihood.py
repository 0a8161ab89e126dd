"""How probable an image is."""

from abc import ABC, abstractmethod
from math import log
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from genpipe.interfaces.tensors import Images

Measure = Literal["density", "256 levels", "2 levels"]
"""Whose likelihood it is: a density on the numbers of an image in [-1, 1], or a probability of its levels."""


class HasLikelihood(ABC):
    """Says how probable an image is."""

    likelihood_of: Measure

    @abstractmethod
    def log_likelihood(self, x: Images, draws: int, rng: torch.Generator) -> Float[Tensor, " b"]:
        """log p(x) in nats; where it is estimated, a lower bound on average that rises with the draws of rng."""


class HasImportanceWeights(HasLikelihood):
    """Bounds how probable an image is by codes that are drawn for it."""

    @abstractmethod
    def log_weights(self, x: Images, draws: int, rng: torch.Generator) -> Float[Tensor, "draws b"]:
        """log p(x, z) − log q(z|x) of codes z drawn from q(z|x), in nats; on average the evidence lower bound."""

    def log_likelihood(self, x: Images, draws: int, rng: torch.Generator) -> Float[Tensor, " b"]:
        """The log of the mean weight (Burda et al. 2016, arXiv:1509.00519, eq. 8), summed in float64."""
        return self.log_weights(x, draws, rng).double().logsumexp(0) - log(draws)
