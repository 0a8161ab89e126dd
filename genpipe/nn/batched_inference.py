"""Inference on arrays in batches of some hundreds of rows, without gradients."""

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
    """Yields batches of rows on a device; uint8 images become values in [-1, 1]."""
    for part in np.array_split(rows, max(1, -(-len(rows) // at_once))):
        there = torch.from_numpy(np.array(part)).to(device)
        yield to_model(there) if there.dtype == torch.uint8 else there


def passed(rows: np.ndarray, through: Callable[[Tensor], Tensor], device: torch.device) -> np.ndarray:
    """Returns a function's output for uint8 images, which it gets in [-1, 1], or for other rows."""
    with torch.inference_mode():
        return np.concatenate([through(part).cpu().numpy() for part in parts(rows, device)])


def rebuilt(model: Generative, images: Pixels) -> Pixels:
    """Returns a model's reconstructions of images."""
    assert isinstance(model, Reconstructs)
    return shown(images, model.reconstruct, model, "reconstructions")


def decoded(model: Generative, z: Float[np.ndarray, "n d"]) -> Pixels:
    """Returns the uint8 images of codes."""
    assert isinstance(model, Decodes)
    return shown(z.astype(np.float32), model.decode, model, "decoded codes")


def shown(rows: np.ndarray, through: Callable[[Tensor], Images], model: Generative, images: str) -> Pixels:
    """Returns a model's output for rows as uint8 images; `images` describes them in messages.

    Raises NonFiniteImages; warns if much of them lies beyond [-1, 1].
    """
    output = Output(type(model).__name__, images)
    pixels = passed(rows, lambda part: output.pixels(through(part)), model.device)
    warn_beyond([output])
    return pixels
