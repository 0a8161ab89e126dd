"""Prior distributions of codes."""

from math import erf, sqrt

import torch

from genpipe.interfaces.tensors import Codes


class StandardNormalPrior:
    """p(z) = N(0, I) over latent_dim numbers: the `prior` of the models that inherit it, first of their bases."""

    latent_dim: int

    def prior(self, n: int, rng: torch.Generator) -> Codes:
        """n codes, on the device of rng."""
        return torch.randn(n, self.latent_dim, generator=rng, device=rng.device)

    def truncated_prior(self, n: int, threshold: float, rng: torch.Generator) -> Codes:
        """n codes of N(0, I), every number within ±threshold, section 3.1 of Brock et al. 2019 (arXiv:1809.11096).

        Drawn by the inverse of the distribution function, which is what drawing anew until it fits comes to.
        """
        reach = erf(threshold / sqrt(2))
        even = torch.rand(n, self.latent_dim, generator=rng, device=rng.device, dtype=torch.float64) * 2 - 1
        return (sqrt(2) * torch.erfinv(reach * even)).clamp(-threshold, threshold).float()


class UniformPrior:
    """p(z) = U(0, 1) of each of latent_dim numbers: the `prior` of models whose codes are sigmoids."""

    latent_dim: int

    def prior(self, n: int, rng: torch.Generator) -> Codes:
        """n codes, on the device of rng."""
        return torch.rand(n, self.latent_dim, generator=rng, device=rng.device)
