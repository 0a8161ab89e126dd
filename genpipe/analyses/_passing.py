"""Images passed through the model of a subject, some hundreds at a time."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from genpipe.interfaces import Encodes, Generative, Images, Reconstructs
from genpipe.nn.pixels import to_model, to_pixels

_CHUNK_IMAGES = 500


def rebuilt(model: Generative, images: UInt8[np.ndarray, "n c h w"]) -> UInt8[np.ndarray, "n c h w"]:
    """What a model that reconstructs makes of images."""
    assert isinstance(model, Reconstructs)
    return passed(images, lambda x: to_pixels(model.reconstruct(x)), model.device)


def codes(model: Generative, images: UInt8[np.ndarray, "n c h w"]) -> Float[np.ndarray, "n d"]:
    """The codes of images, float32."""
    assert isinstance(model, Encodes)
    return passed(images, lambda x: model.encode(x).float(), model.device)


def passed(
    images: UInt8[np.ndarray, "n c h w"], through: Callable[[Images], Tensor], device: torch.device
) -> np.ndarray:
    """What a function of images in [-1, 1] gives, without gradients."""
    chunks = np.array_split(np.asarray(images), -(-len(images) // _CHUNK_IMAGES))
    with torch.inference_mode():
        return np.concatenate(
            [through(to_model(torch.from_numpy(chunk.copy()).to(device))).cpu().numpy() for chunk in chunks]
        )


def squared_errors(a: UInt8[np.ndarray, "n c h w"], b: UInt8[np.ndarray, "n c h w"]) -> Float[np.ndarray, "n"]:
    """‖a − b‖² of each pair of images, on the scale of [-1, 1]."""
    return np.square((a.astype(np.float64) - b) * (2 / 255)).sum((1, 2, 3))
