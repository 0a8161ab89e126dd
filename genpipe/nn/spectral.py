"""Spectral normalization (Miyato et al. 2018, arXiv:1802.05957): weights divided by their largest singular value."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils.parametrize import register_parametrization

from genpipe.nn.precision import full_precision

FIRST_ITERATIONS = 15
"""Power iterations before the first step; then one per pass in training is enough, as weights change slowly."""
LAYERS = (nn.Linear, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Embedding)


class SpectralNorm(nn.Module):
    """A weight over σ, as a parametrization; σ is followed by power iteration, algorithm 1 of the paper.

    Only u is kept, and its length counts for nothing, so that an average over steps serves as well.
    """

    u: Tensor

    def __init__(self, weight: Tensor, outputs_dim: int = 0) -> None:
        super().__init__()
        self.outputs_dim = outputs_dim
        self.register_buffer("u", normalize(torch.randn(weight.shape[outputs_dim]), dim=0))
        with torch.no_grad():
            for _ in range(0 if weight.is_meta else FIRST_ITERATIONS):  # without memory there is nothing to iterate
                self.u.copy_(self._vectors(self._matrix(weight))[0])

    def forward(self, weight: Tensor) -> Tensor:
        """Returns the weight with σ = 1; in training u takes a step towards the first left singular vector."""
        with full_precision(weight):
            W = self._matrix(weight)
            with torch.no_grad():
                u, v = self._vectors(W)
                if self.training:
                    self.u.copy_(u)
            return weight / torch.dot(u, W @ v)

    def _matrix(self, weight: Tensor) -> Tensor:
        return weight.float().movedim(self.outputs_dim, 0).flatten(1)

    def _vectors(self, W: Tensor) -> tuple[Tensor, Tensor]:
        """u and v after one iteration."""
        v = normalize(W.mT @ self.u, dim=0)
        return normalize(W @ v, dim=0), v


def spectrally_normalized(module: nn.Module) -> nn.Module:
    """Returns the module with spectral normalization of its convolutions, dense layers and embeddings."""
    for layer in [m for m in module.modules() if isinstance(m, LAYERS)]:
        assert isinstance(layer.weight, Tensor)
        dim = int(isinstance(layer, nn.ConvTranspose2d | nn.ConvTranspose3d))  # whose inputs come first
        register_parametrization(layer, "weight", SpectralNorm(layer.weight, dim))
    return module
