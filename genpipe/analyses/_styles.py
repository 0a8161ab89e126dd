"""Styles of codes, and images of styles."""

import numpy as np
import torch
from jaxtyping import Float, UInt8

from genpipe.interfaces import Generative, HasStyles
from genpipe.nn.pixels import to_pixels

_AT_ONCE = 500


def styles(model: Generative, z: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n w"]:
    """The style of each code."""
    assert isinstance(model, HasStyles)
    with torch.inference_mode():
        return model.style(torch.from_numpy(z).to(model.device)).float().cpu().numpy()


def styled(model: Generative, w: Float[np.ndarray, "n layers w"]) -> UInt8[np.ndarray, "n c h w2"]:
    """The uint8 images of the styles of each layer."""
    assert isinstance(model, HasStyles)
    parts = (torch.from_numpy(w[k : k + _AT_ONCE].astype(np.float32)) for k in range(0, len(w), _AT_ONCE))
    with torch.inference_mode():
        return np.concatenate([to_pixels(model.from_styles(part.to(model.device))).cpu().numpy() for part in parts])


def everywhere(model: Generative, w: Float[np.ndarray, "n w"]) -> Float[np.ndarray, "n layers w"]:
    """The same style in all layers."""
    assert isinstance(model, HasStyles)
    return np.repeat(w[:, None], model.style_layers, axis=1)
