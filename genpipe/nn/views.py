"""Augmentation of views of an object on a plain background (Sundermeyer et al. 2018, arXiv:1902.01275, section 3.4).

The plain background is what has the color of an image's first pixel; all else is the object.
"""

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

from genpipe.interfaces.tensors import Images
from genpipe.schema import Strict

Share = Annotated[float, Field(ge=0, lt=1)]
Rng = torch.Generator | None
_PATCHES = 4
"""The number of random colors along each side of a random background, which is smooth between them."""
_PLAIN = 0.02
"""Colors that differ by less are equal."""


class Augmentation(Strict):
    """The strengths of the augmentations; 0 turns one off."""

    background: Share = 0.8
    """The contrast of random colors behind the object."""
    light: Share = 0.4
    """The brightness of the object changes by a factor at most this far from 1."""
    occlusion: Share = 0.3
    """The longest side of a rectangle in front of the object, as a share of the image's side."""
    shift: Share = 0.1
    """The largest shift of the object, as a share of the image's side."""
    scale: Share = 0.2
    """Its size changes by a factor at most this far from 1."""


def augmented(x: Images, config: Augmentation, rng: Rng = None) -> Images:
    """Returns images with the object shifted, scaled, relit and partly hidden at random, on a random background."""
    pixels = (x + 1) / 2
    plain = pixels[:, :, :1, :1]
    mask = ((pixels - plain).abs().amax(1, keepdim=True) > _PLAIN).to(x.dtype)
    moved = _moved(torch.cat([pixels * mask, mask], 1), config, rng)
    item, mask = moved[:, :-1], moved[:, -1:]
    light = 1 + config.light * _between(x, (len(x), 1, 1, 1), rng)
    behind = plain + config.background * (_colors(x, rng) - plain)
    seen = (light * item).clamp(max=1) + (1 - mask) * behind
    return 2 * torch.where(_hidden(x, config.occlusion, rng), _uniform(x, (*x.shape[:2], 1, 1), rng), seen) - 1


def _moved(x: Float[Tensor, "b k h w"], config: Augmentation, rng: Rng) -> Float[Tensor, "b k h w"]:
    zoom = 1 / (1 + config.scale * _between(x, (len(x),), rng))
    away = 2 * config.shift * _between(x, (len(x), 2), rng)
    theta = torch.zeros(len(x), 2, 3, device=x.device, dtype=x.dtype)
    theta[:, 0, 0] = theta[:, 1, 1] = zoom
    theta[:, :, 2] = -away * zoom[:, None]
    return grid_sample(x, affine_grid(theta, list(x.shape), align_corners=False), align_corners=False)


def _colors(x: Images, rng: Rng) -> Images:
    """Smooth random colors from 0 to 1."""
    patches = _uniform(x, (*x.shape[:2], _PATCHES, _PATCHES), rng)
    return interpolate(patches, size=x.shape[2:], mode="bilinear")


def _hidden(x: Images, longest: float, rng: Rng) -> Tensor:
    """Whether a pixel lies in the rectangle of its image [b 1 h w]; the rectangle's middle is anywhere."""
    (rows, columns), sides = _uniform(x, (2, len(x), 1, 1, 1), rng), longest * _uniform(x, (2, len(x), 1, 1, 1), rng)
    down, right = (torch.linspace(0, 1, n, device=x.device) for n in x.shape[2:])
    inside = (down[:, None] - rows).abs() < sides[0] / 2
    return inside & ((right - columns).abs() < sides[1] / 2)


def _between(x: Tensor, shape: tuple[int, ...], rng: Rng) -> Tensor:
    """U(−1, 1)."""
    return 2 * _uniform(x, shape, rng) - 1


def _uniform(x: Tensor, shape: tuple[int, ...], rng: Rng) -> Tensor:
    return torch.rand(shape, generator=rng, device=x.device, dtype=x.dtype)
