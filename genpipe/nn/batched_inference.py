"""Many rows passed through a model, some hundreds at a time and without gradients: arrays to arrays."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from genpipe.interfaces.generative import Decodes, Generative, Reconstructs
from genpipe.interfaces.tensors import Images
from genpipe.nn.pixel_range import Output, to_model, warn_beyond

Pixels = UInt8[np.ndarray, "n c h w"]
_AT_ONCE = 500


def parts(rows: np.ndarray, device: torch.device, at_once: int = _AT_ONCE) -> Iterator[Tensor]:
    """Rows on a device, at most so many at once; uint8 images come in [-1, 1]."""
    for part in np.array_split(rows, max(1, -(-len(rows) // at_once))):
        there = torch.from_numpy(np.array(part)).to(device)
        yield to_model(there) if there.dtype == torch.uint8 else there


def passed(rows: np.ndarray, through: Callable[[Tensor], Tensor], device: torch.device) -> np.ndarray:
    """What a function gives of uint8 images, which it gets in [-1, 1], or of other rows."""
    with torch.inference_mode():
        return np.concatenate([through(part).cpu().numpy() for part in parts(rows, device)])


def rebuilt(model: Generative, images: Pixels) -> Pixels:
    """What a model that reconstructs makes of images."""
    assert isinstance(model, Reconstructs)
    return shown(images, model.reconstruct, model, "reconstructions")


def decoded(model: Generative, z: Float[np.ndarray, "n d"]) -> Pixels:
    """The uint8 images of codes."""
    assert isinstance(model, Decodes)
    return shown(z.astype(np.float32), model.decode, model, "decoded codes")


def shown(rows: np.ndarray, through: Callable[[Tensor], Images], model: Generative, images: str) -> Pixels:
    """The uint8 images that a model gives of rows; `images` says what they are.

    Raises NonFiniteImages; warns if much of them lies beyond [-1, 1].
    """
    output = Output(type(model).__name__, images)
    pixels = passed(rows, lambda part: output.pixels(through(part)), model.device)
    warn_beyond([output])
    return pixels
