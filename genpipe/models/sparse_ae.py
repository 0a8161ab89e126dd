"""Sparse autoencoder: an L1 penalty on the code, as in sparse coding (Olshausen & Field 1996, doi:10.1038/381607a0)."""

from typing import Annotated

from pydantic import Field

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Codes, Images, Logs, Scalar
from genpipe.nn.autoencoding import Autoencoder, l1, sparsity, squared_error
from genpipe.nn.encoder_decoder import EncoderDecoder


class SparseAE(Autoencoder):
    """z = ReLU(encoder(x)) with ‖x − x̂‖² + l1_weight · Σⱼ |zⱼ|: an image switches on as few units as it can.

    Codes and weights of a decoder could trade their scale, and evade the penalty; the decay of the weights, a knob of
    the optimizer, holds that.
    """

    class Config(EncoderDecoder):
        l1_weight: Annotated[float, Field(ge=0)] = 0.1

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.l1_weight = config.l1_weight

    def encode(self, x: Images) -> Codes:
        return self.encoder(x).relu()

    def loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """‖x − x̂‖² + l1_weight · ‖z‖₁ of an image, averaged over the batch; its error and sparsity as logs."""
        z = self.encode(batch.x)
        error = squared_error(batch.x, self.decode(z))
        logs = {"squared_error": error.detach(), "sparsity": sparsity(z.detach())}
        return error + self.l1_weight * l1(z), logs
