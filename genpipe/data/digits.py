"""1,797 real digits, 8×8 gray, that come with scikit-learn: no download, for the fastest tests."""

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from genpipe.dataset.splitting import whole
from genpipe.interfaces.sources import Collection, Source
from genpipe.schema import Strict


class Digits(Source):
    """The test set of the UCI optical digits (Alpaydin & Kaynak 1998), 17 gray levels."""

    class Config(Strict):
        test_images: Annotated[int, Field(ge=10, le=1700)] = 360

    classes = tuple("0123456789")
    channels = 1

    def __init__(self, config: Config, root: Path) -> None:
        self.test_images = config.test_images

    def collection(self, seed: int) -> Collection:
        from sklearn.datasets import load_digits

        digits = load_digits()
        levels = np.rint(digits.images[..., None] * (255 / 16)).astype(np.uint8)
        return whole(levels, digits.target.astype(np.int64), self.test_images, seed)
