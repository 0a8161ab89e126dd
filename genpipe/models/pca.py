"""Principal component analysis (Pearson 1901; as in Hotelling 1933)."""

from collections.abc import Iterable
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from genpipe.errors import Unsuitable
from genpipe.interfaces.generative import Decodes, Encodes, Generative, Reconstructs
from genpipe.interfaces.phases import Batch, Phase
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Codes, Images
from genpipe.schema import Strict


class PCA(Generative, Encodes, Decodes, Reconstructs):
    """y = P (x − m), x̂ = Pᵀ y + m, with the first eigenvectors of the covariance C = XXᵀ/n as rows of P.

    It is fitted in closed form, in float64, by one pass over the data. Samples decode y from N(0, diag λ).
    """

    class Config(Strict):
        latent_dim: Annotated[int, Field(ge=1)] = 32

    mean: Tensor
    components: Tensor
    variances: Tensor

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        if config.latent_dim > spec.values:
            raise Unsuitable(f"latent_dim is {config.latent_dim}, but an image has only {spec.values} values.")
        self.shape = spec.shape
        self.register_buffer("mean", torch.zeros(spec.values))
        self.register_buffer("components", torch.zeros(config.latent_dim, spec.values))
        self.register_buffer("variances", torch.zeros(config.latent_dim))

    def phases(self) -> list[Phase]:
        return []

    def on_train_end(self, batches: Iterable[Batch]) -> None:
        """Sums n, Σx and Σxxᵀ over the data, then takes the largest eigenvalues."""
        count, d = 0, self.mean.numel()
        total = torch.zeros(d, dtype=torch.float64, device=self.mean.device)
        outer = torch.zeros(d, d, dtype=torch.float64, device=self.mean.device)
        for batch in batches:
            rows = batch.x.flatten(1).double()
            count += len(rows)
            total += rows.sum(0)
            outer.addmm_(rows.T, rows)
        mean = total / count
        values, vectors = torch.linalg.eigh(outer / count - torch.outer(mean, mean))
        largest = torch.arange(d - 1, d - 1 - len(self.variances), -1, device=values.device)
        self.mean.copy_(mean)
        self.components.copy_(vectors[:, largest].T)
        self.variances.copy_(values[largest].clamp_min(0))

    def encode(self, x: Images) -> Codes:
        return (x.flatten(1) - self.mean) @ self.components.T

    def decode(self, z: Codes) -> Images:
        return (z @ self.components + self.mean).unflatten(1, self.shape)

    def reconstruct(self, x: Images) -> Images:
        return self.decode(self.encode(x))

    def prior(self, n: int, rng: torch.Generator) -> Codes:
        z = torch.randn(n, len(self.variances), generator=rng, device=rng.device)
        return z * self.variances.sqrt()
