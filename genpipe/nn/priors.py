"""Distributions from which codes are drawn."""

import torch

from genpipe.interfaces import Codes


class StandardNormalPrior:
    """p(z) = N(0, I) over latent_dim numbers: the `prior` of the systems that inherit it, first of their bases."""

    latent_dim: int

    def prior(self, n: int, rng: torch.Generator) -> Codes:
        """n codes, on the device of rng."""
        return torch.randn(n, self.latent_dim, generator=rng, device=rng.device)


class UniformPrior:
    """p(z) = U(0, 1) of each of latent_dim numbers: the `prior` of systems whose codes are sigmoids."""

    latent_dim: int

    def prior(self, n: int, rng: torch.Generator) -> Codes:
        """n codes, on the device of rng."""
        return torch.rand(n, self.latent_dim, generator=rng, device=rng.device)
