"""Codes of images, images of codes, and ways from one code to another."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from genpipe.interfaces import Decodes, Encodes, Generative, Images, Infers, Subject
from genpipe.nn.passing import passed

Codes = Float[np.ndarray, "n d"]
Pixels = UInt8[np.ndarray, "n c h w"]
Path = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""The codes at places t, from 0 to 1, between two codes; all broadcast against each other."""


def encoded(model: Generative, images: Pixels) -> Codes:
    """The codes of uint8 images, float32."""
    assert isinstance(model, Encodes)
    return passed(images, lambda x: model.encode(x).float(), model.device)


def drawn_codes(model: Generative, x: Images, rng: torch.Generator) -> Float[Tensor, "b d"]:
    """A code of each image: drawn, if the model gives a distribution."""
    if not isinstance(model, Infers):
        assert isinstance(model, Encodes)
        return model.encode(x)
    mu, logvar = model.posterior(x)
    return mu + torch.exp(0.5 * logvar) * torch.randn(mu.shape, generator=rng, device=mu.device)


def of_prior(model: Generative, n: int, seed: int) -> Codes:
    """n codes of the prior, float32."""
    assert isinstance(model, Decodes)
    with torch.inference_mode():
        return model.prior(n, torch.Generator(model.device).manual_seed(seed)).float().cpu().numpy()


def starts(subject: Subject, n: int) -> tuple[Codes, str]:
    """Codes to begin at, and whose they are: of the first held-out images, or of the prior if nothing is encoded."""
    if isinstance(subject.model, Encodes):
        return encoded(subject.model, subject.real.held_out.images[:n]), "held-out images"
    return of_prior(subject.model, n, subject.seed), "the prior"


def quantiles(z: Codes, steps: int, tail: float) -> Float[np.ndarray, "steps d"]:
    """Equally probable places of each number of a code, leaving out a tail of this probability at either end."""
    return np.quantile(z.astype(np.float64), np.linspace(tail, 1 - tail, steps), axis=0)


def linear(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Codes on the straight line from a to b."""
    return a + t * (b - a)


def spherical(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Codes on the great circle from a to b (Shoemake 1985, eq. 5); on the line, where they point the same way.

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
    """Codes in equal steps from a to b, both included."""
    return path(a[None].astype(np.float64), b[None].astype(np.float64), np.linspace(0, 1, steps)[:, None])


def path_length(
    subject: Subject, images: Callable[[np.ndarray], Pixels], t: Float[np.ndarray, "n 1"], step: float
) -> float:
    """The mean of d²/ε² over ways, d between the features of the images at the place t of each and at t + ε.

    Karras et al. 2019 (arXiv:1812.04948), eq. 2; `images` gives the image of every way at the places it is given.
    """
    here, there = (subject.see(images(at)).features.astype(np.float64) for at in (t, t + step))
    return float(np.square(here - there).sum(1).mean() / step**2)


def round_trip(path: Path, z: Codes, steps: int) -> Float[np.ndarray, "m d"]:
    """Codes from each to the next in so many steps, and from the last back to the first."""
    return np.concatenate([way(path, a, b, steps + 1)[:-1] for a, b in zip(z, np.roll(z, -1, 0), strict=True)])
