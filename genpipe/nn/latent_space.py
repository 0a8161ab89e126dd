"""Codes of images, codes from the prior, and paths from one code to another."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from genpipe.interfaces.generative import Decodes, Encodes, Generative
from genpipe.interfaces.posterior import HasPosterior
from genpipe.interfaces.tensors import Images
from genpipe.nn.batched_inference import passed

Codes = Float[np.ndarray, "n d"]
Pixels = UInt8[np.ndarray, "n c h w"]
Path = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""The codes at places t, from 0 to 1, between two codes; all broadcast against each other."""


def encoded(model: Generative, images: Pixels) -> Codes:
    """Returns the codes of uint8 images, float32."""
    assert isinstance(model, Encodes)
    return passed(images, lambda x: model.encode(x).float(), model.device)


def drawn_codes(model: Generative, x: Images, rng: torch.Generator) -> Float[Tensor, "b d"]:
    """Returns a code of each image, sampled if the model gives a distribution."""
    if not isinstance(model, HasPosterior):
        assert isinstance(model, Encodes)
        return model.encode(x)
    mu, logvar = model.posterior(x)
    return mu + torch.exp(0.5 * logvar) * torch.randn(mu.shape, generator=rng, device=mu.device)


def of_prior(model: Generative, n: int, seed: int) -> Codes:
    """Returns n codes from the prior, float32."""
    assert isinstance(model, Decodes)
    with torch.inference_mode():
        return model.prior(n, torch.Generator(model.device).manual_seed(seed)).float().cpu().numpy()


def quantiles(z: Codes, steps: int, tail: float) -> Float[np.ndarray, "steps d"]:
    """Returns evenly spaced quantiles of each number of a code, without a tail of this probability at either end."""
    return np.quantile(z.astype(np.float64), np.linspace(tail, 1 - tail, steps), axis=0)


def linear(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Returns codes on the straight line from a to b."""
    return a + t * (b - a)


def spherical(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Returns codes on the great circle from a to b (Shoemake 1985, eq. 5); on the line if they are parallel.

    Lengths of the codes are not made equal, as in White 2016 (arXiv:1609.04468).
    """
    lengths = np.linalg.norm(a, axis=-1, keepdims=True) * np.linalg.norm(b, axis=-1, keepdims=True)
    cosine = np.clip((a * b).sum(-1, keepdims=True) / np.maximum(lengths, 1e-12), -1, 1)
    omega = np.arccos(cosine)
    sine = np.where(np.sin(omega) < 1e-6, 1.0, np.sin(omega))
    curved = (np.sin((1 - t) * omega) * a + np.sin(t * omega) * b) / sine
    return np.where(np.sin(omega) < 1e-6, linear(a, b, t), curved)


PATHS: dict[str, Path] = {"linear": linear, "spherical": spherical}


def way(path: Path, a: Float[np.ndarray, "d"], b: Float[np.ndarray, "d"], steps: int) -> Float[np.ndarray, "steps d"]:
    """Returns codes in equal steps from a to b, both included."""
    return path(a[None].astype(np.float64), b[None].astype(np.float64), np.linspace(0, 1, steps)[:, None])


def round_trip(path: Path, z: Codes, steps: int) -> Float[np.ndarray, "m d"]:
    """Returns codes from each code to the next in a number of steps, and from the last back to the first."""
    return np.concatenate([way(path, a, b, steps + 1)[:-1] for a, b in zip(z, np.roll(z, -1, 0), strict=True)])
