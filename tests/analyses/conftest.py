"""A subject whose features are pixels and whose scores are simple enough to know beforehand."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
import torch

from genpipe.interfaces.analyses import AnalysisContext
from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.generative import Generative


class Nothing(Generative):
    """A model without weights."""

    class Config: ...

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)

    def phases(self) -> list:
        return []


def seen(images: np.ndarray) -> FeatureSet:
    """Features are pixels from 0 to 1; an image is surely of class 1 if its brightest pixel is in its lower half."""
    features = images.reshape(len(images), -1).astype(np.float32) / 255
    lower = (features.argmax(1) >= features.shape[1] // 2).astype(np.float32)
    return FeatureSet(images, features, np.stack([1 - lower, lower], axis=1))


Make = Callable[..., AnalysisContext]


@pytest.fixture
def make() -> Make:
    """Makes a subject from samples, training images, held-out images and a scorer."""

    def made(
        samples: np.ndarray,
        training: np.ndarray,
        held_out: np.ndarray,
        scorer: Callable[[FeatureSet, Sequence[str]], Mapping[str, float]] | None = None,
    ) -> AnalysisContext:
        real = Real(seen(training), seen(held_out))
        parts = (Nothing(), seen(samples), real, 0, seen)
        return AnalysisContext(*parts) if scorer is None else AnalysisContext(*parts, scorer)

    return made


@pytest.fixture
def random_images() -> Callable[[int, int], np.ndarray]:
    """So many gray images of 8 × 8 pixels, from a seed."""

    def made(n: int, seed: int) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 256, (n, 1, 8, 8), dtype=np.uint8)

    return made
