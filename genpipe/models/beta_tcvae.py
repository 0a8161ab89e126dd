"""Total-correlation variational autoencoder (β-TCVAE; Chen et al. 2018, arXiv:1802.04942)."""

from typing import Annotated

import torch
from pydantic import Field

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Logs, Scalar
from genpipe.nn.correlation import Sampling, kl_decomposition
from genpipe.nn.variational import LatentVariable, LatentVariableModel

Weight = Annotated[float, Field(ge=0)]


class BetaTCVAE(LatentVariableModel):
    """The KL of the evidence lower bound in three parts, each with a weight of its own, eq. 4.

    A weight above 1 of the total correlation asks for codes whose numbers do not depend on each other.
    """

    class Config(LatentVariable):
        mi_weight: Weight = 1.0
        """α, of what codes say of their images."""
        tc_weight: Weight = 6.0
        """β, of the total correlation."""
        marginal_kl_weight: Weight = 1.0
        """γ, of how each number of the codes differs from the prior."""
        sampling: Sampling = "stratified"
        """How the images of a batch stand for all."""
        training_images: Annotated[int, Field(ge=2)] = 9000
        """How many there are: that many posteriors make up the distribution of the codes."""

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.config = config

    def loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """−log p(x|z) and the weighted parts, in nats per image; with all weights 1 a negative evidence lower bound."""
        knobs = self.config
        mu, logvar = self.posterior(batch.x)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        reconstruction = self.likelihood.nll(batch.x, self.decoder(z)).mean()
        mi, tc, marginal = kl_decomposition(z, (mu, logvar), knobs.training_images, knobs.sampling)
        logs = {
            "reconstruction_nats": reconstruction.detach(),
            "index_code_mi_nats": mi.detach(),
            "total_correlation_nats": tc.detach(),
            "marginal_kl_nats": marginal.detach(),
        }
        kl = knobs.mi_weight * mi + knobs.tc_weight * tc + knobs.marginal_kl_weight * marginal
        return reconstruction + kl, logs
