"""Augmented autoencoder (Sundermeyer et al. 2018, arXiv:1902.01275): implicit orientation."""

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Logs, Scalar
from genpipe.nn.autoencoding import Autoencoder, squared_error
from genpipe.nn.encoder_decoder import EncoderDecoder
from genpipe.nn.views import Augmentation, augmented


class AugmentedAE(Autoencoder):
    """It sees a view before any background, in any light, partly hidden, moved and scaled, and gives the clean view.

    So nothing of all that is left in the code, and what is left is how the object is turned.
    """

    class Config(Augmentation, EncoderDecoder): ...

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.config = config

    def loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """‖x − decode(encode(augmented x))‖², summed over an image, averaged over the batch."""
        return squared_error(batch.x, self.reconstruct(augmented(batch.x, self.config))), {}
