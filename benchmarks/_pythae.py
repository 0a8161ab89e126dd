"""pythae's VAE and trainer (https://github.com/clementchadebec/benchmark_VAE) around an encoder and decoder of ours.

Only functions import it, for it is installed by hand: pip install --no-deps pythae.
"""

from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any

import torch
from _rivals import synchronized_now
from torch import Tensor, nn


def vae(net: Any, shape: Sequence[int], latent_dim: int, binary: bool = False) -> Any:
    """pythae's VAE with the weights of the encoder and decoder of `net`, which its training moves.

    Its images are those of `net`, with half their squared error; binary ones are 0 or 1, with their cross-entropy.
    """
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.net = net.encoder

        def forward(self, x: Tensor) -> Any:
            mu, logvar = self.net(2 * x - 1 if binary else x).chunk(2, dim=1)
            return ModelOutput(embedding=mu, log_covariance=logvar)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.last = net.decoder, nn.Sigmoid() if binary else nn.Identity()

        def forward(self, z: Tensor) -> Any:
            return ModelOutput(reconstruction=self.last(self.net(z)))

    loss = "bce" if binary else "mse"
    config = VAEConfig(input_dim=tuple(shape), latent_dim=latent_dim, reconstruction_loss=loss)
    return VAE(config, Encoder(), Decoder())


def epochs_sec(model: Any, images: Tensor, batch_size: int, epochs: int, lr: float, seed: int = 0) -> list[float]:
    """How long each epoch of pythae's trainer took in seconds; in place, with Adam."""
    from pythae.data.datasets import BaseDataset
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback

    device, found = torch.device("cuda" if torch.cuda.is_available() else "cpu"), []

    class Clock(TrainingCallback):
        def on_epoch_begin(self, training_config: Any, **_: Any) -> None:
            found.append(-synchronized_now(device))

        def on_epoch_end(self, training_config: Any, **_: Any) -> None:
            found[-1] += synchronized_now(device)

    data = BaseDataset(images, torch.zeros(len(images)))
    with TemporaryDirectory() as folder:
        knobs = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=epochs,
            per_device_train_batch_size=batch_size,
            learning_rate=lr,
            seed=seed,
        )
        BaseTrainer(model, data, training_config=knobs, callbacks=[Clock()]).train()
    return found
