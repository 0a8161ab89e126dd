"""Distributions of codes."""

from abc import abstractmethod

from genpipe.interfaces.generative import Encodes
from genpipe.interfaces.tensors import Codes, Images


class HasPosterior(Encodes):
    """Gives every image a distribution of codes."""

    @abstractmethod
    def posterior(self, x: Images) -> tuple[Codes, Codes]:
        """Returns μ and log σ² of q(z|x) = N(μ, diag σ²)."""

    def encode(self, x: Images) -> Codes:
        return self.posterior(x)[0]
