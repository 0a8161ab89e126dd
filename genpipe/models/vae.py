"""Variational autoencoder (Kingma & Welling 2014, arXiv:1312.6114)."""

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Logs, Scalar
from genpipe.nn.variational import LatentVariableModel, Variational, negative_elbo


class VAE(LatentVariableModel):
    """Trained on the evidence lower bound; with a `kl_weight` above 1 it is the β-VAE (Higgins et al. 2017)."""

    class Config(Variational): ...

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.kl_weight = config.kl_weight

    def loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """Negative evidence lower bound in nats per image."""
        x = batch.x
        return negative_elbo(x, self.posterior(x), self.decoder, self.likelihood, self.kl_weight)
