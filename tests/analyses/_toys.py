"""A model whose codes are known: number i of a code is the brightness of band i of the image."""

import numpy as np
import torch
from torch import Tensor, nn

from genpipe.interfaces.analyses import AnalysisContext
from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.generative import Decodes, Encodes, Generative
from genpipe.interfaces.phases import Phase
from genpipe.nn.priors import StandardNormalPrior

SIDE = 8


class Bands(StandardNormalPrior, Generative, Decodes):
    """tanh(z R) as bands of an image; R mixes the numbers of a code."""

    class Config: ...

    def __init__(self, latent_dim: int = 2, mixing: Tensor | None = None) -> None:
        nn.Module.__init__(self)
        self.latent_dim = latent_dim
        self.register_buffer("mixing", torch.eye(latent_dim) if mixing is None else mixing)

    def phases(self) -> list[Phase]:
        return []

    def decode(self, z: Tensor) -> Tensor:
        bands = torch.tanh(z @ self.mixing).repeat_interleave(SIDE // self.latent_dim, dim=1)
        return bands[:, None, :, None].expand(-1, 1, SIDE, SIDE)


class Coded(Bands, Encodes):
    def encode(self, x: Tensor) -> Tensor:
        bands = x[:, 0, :, 0].reshape(len(x), self.latent_dim, -1).mean(2)
        return torch.atanh(bands.clamp(-0.99, 0.99)) @ torch.linalg.inv(self.mixing)


def rotation(degrees: float) -> Tensor:
    a = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([torch.stack([a.cos(), a.sin()]), torch.stack([-a.sin(), a.cos()])])


def seen(images: np.ndarray) -> FeatureSet:
    """Features are pixels from 0 to 1; an image is of class 1 the more, the brighter its first row is."""
    features = images.reshape(len(images), -1).astype(np.float32) / 255
    bright = 1 / (1 + np.exp(-20 * (features[:, 0] - 0.5)))
    return FeatureSet(images, features, np.stack([1 - bright, bright], axis=1).astype(np.float32))


def context(model: Generative, n: int = 400, factors: bool = True) -> AnalysisContext:
    """Images of which the bands are uniform: class and category by the first, numbers of both."""

    def real(seed: int) -> FeatureSet:
        rng = np.random.default_rng(seed)
        bands = rng.uniform(-0.9, 0.9, (n, 2))
        images = np.rint((np.repeat(bands, SIDE // 2, axis=1) + 1) * 127.5)
        images = np.broadcast_to(images[:, None, :, None], (n, 1, SIDE, SIDE)).astype(np.uint8)
        high = (bands[:, 0] > 0).astype(np.int64)
        known = {"first": bands[:, 0], "second": bands[:, 1], "high": high, "turn": np.exp(1j * bands[:, 1])}
        evidence = seen(images)
        return FeatureSet(images, evidence.features, evidence.probabilities, high, factors=known if factors else {})

    training, held_out = real(0), real(1)
    return AnalysisContext(model, training, Real(training, held_out), 0, seen)
