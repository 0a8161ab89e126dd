"""Denoising variational autoencoder (Im et al. 2017, arXiv:1511.06406)."""

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Logs, Scalar
from genpipe.nn.corruption import Corruption, corrupted
from genpipe.nn.variational import LatentVariableModel, Variational, negative_elbo


class DenoisingVAE(LatentVariableModel):
    """q(z|x̃) of a corrupted image x̃ is to explain the clean x: the posterior of x is a mixture over all x̃."""

    class Config(Corruption, Variational): ...

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.corruption, self.kl_weight = config, config.kl_weight

    def loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """Negative denoising variational lower bound in nats per image, eq. 9, with one draw of x̃ and of z."""
        posterior = self.posterior(corrupted(batch.x, self.corruption))
        return negative_elbo(batch.x, posterior, self.decoder, self.likelihood, self.kl_weight)
