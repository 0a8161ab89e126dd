"""Importance-weighted autoencoder (Burda et al. 2016, arXiv:1509.00519)."""

from typing import Annotated

from pydantic import Field

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Logs, Scalar
from genpipe.nn.variational import LatentVariable, LatentVariableModel, iwae_loss


class IWAE(LatentVariableModel):
    """Trained on the bound of k codes for each image, which rises with k towards log p(x) (theorem 1)."""

    class Config(LatentVariable):
        importance_samples: Annotated[int, Field(ge=1)] = 5
        """k, the codes of an image in a step; 1 is a variational autoencoder."""

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.importance_samples = config.importance_samples

    def loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """Negative k-sample bound in nats per image, eq. 8."""
        x = batch.x
        return iwae_loss(x, self.posterior(x), self.decoder, self.likelihood, self.importance_samples)
