"""Corruption of the input of a denoising autoencoder (Vincent et al. 2010, JMLR 11:3371, section 3.3).

Each kind takes values in [low, high] and an amount, and draws from `rng`, or from the global generator without one.
The pixels of an image are struck in all channels at once; of other values, each for itself.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from genpipe.schema import Strict

Values = Float[Tensor, "b *rest"]
Rng = torch.Generator | None


class Corruption(Strict):
    """The kind and the strength of a corruption."""

    corruption: Literal["masking", "gaussian", "salt_and_pepper"] = "masking"
    amount: Annotated[float, Field(ge=0, le=1)] = 0.3
    """masking and salt_and_pepper: the share of the pixels; gaussian: the deviation, where values lie in [-1, 1]."""


def corrupted(x: Values, config: Corruption, rng: Rng = None, low: float = -1.0, high: float = 1.0) -> Values:
    """Returns a corrupted copy of values that lie in [low, high]."""
    return _KINDS[config.corruption](x, config.amount, rng, low, high)


def masking(x: Values, share: float, rng: Rng = None, low: float = -1.0, high: float = 1.0) -> Values:
    """Sets a random share of the values to low (black), drawn separately for each of the batch."""
    return torch.where(_uniform(x, rng) < share, low, x)


def salt_and_pepper(x: Values, share: float, rng: Rng = None, low: float = -1.0, high: float = 1.0) -> Values:
    """Sets a random share of the values to low or high, with equal probability."""
    u = _uniform(x, rng)
    return torch.where(u < share, torch.where(u < share / 2, low, high), x)


def gaussian(x: Values, deviation: float, rng: Rng = None, low: float = -1.0, high: float = 1.0) -> Values:
    """Adds N(0, σ²) to every value, σ = deviation · (high − low) / 2; it may leave [low, high]."""
    sigma = deviation * (high - low) / 2
    return x + sigma * torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype)


_KINDS: Mapping[str, Callable[..., Values]] = {
    "masking": masking,
    "gaussian": gaussian,
    "salt_and_pepper": salt_and_pepper,
}


def _uniform(x: Tensor, rng: Rng) -> Tensor:
    """U(0, 1) for each pixel [b 1 h w] of images, or for each value of others."""
    shape = (len(x), 1, *x.shape[2:]) if x.ndim == 4 else x.shape
    return torch.rand(shape, generator=rng, device=x.device)
