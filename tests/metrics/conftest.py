"""Sets of images whose features and class probabilities look like those of a network."""

from collections.abc import Callable

import numpy as np
import pytest

from genpipe.interfaces.extractors import FeatureSet

Made = Callable[..., FeatureSet]


@pytest.fixture(scope="session")
def seen() -> Made:
    """Makes n images from a seed; the larger the shift, the farther they are from those without."""
    weights = np.random.default_rng(0)
    mix, head = weights.normal(size=(12, 16)) / 4, 2 * weights.normal(size=(16, 5))

    def make(n: int, seed: int, shift: float = 0.0) -> FeatureSet:
        rng = np.random.default_rng(seed)
        features = np.maximum(rng.normal(size=(n, 12)) @ mix + shift + 0.2 * rng.normal(size=(n, 16)), 0)
        odds = np.exp(features @ head)
        images = rng.integers(0, 256, (n, 1, 4, 4), dtype=np.uint8)
        return FeatureSet(images, features.astype(np.float32), (odds / odds.sum(1, keepdims=True)).astype(np.float32))

    return make
