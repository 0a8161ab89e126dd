"""Denoising autoencoder (Vincent et al. 2008, doi:10.1145/1390156.1390294)."""

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Logs, Scalar
from genpipe.nn.autoencoding import Autoencoder, squared_error
from genpipe.nn.corruption import Corruption, corrupted
from genpipe.nn.encoder_decoder import EncoderDecoder


class DenoisingAE(Autoencoder):
    """It is given a corrupted image x̃ and learns to reconstruct the clean x, so that the identity is no solution."""

    class Config(Corruption, EncoderDecoder): ...

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.config = config

    def loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """‖x − decode(encode(x̃))‖², summed over an image, averaged over the batch; x̃ is drawn anew each time."""
        return squared_error(batch.x, self.reconstruct(corrupted(batch.x, self.config))), {}
