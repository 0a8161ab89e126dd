"""Styles of codes, and images of styles."""

import numpy as np
from jaxtyping import Float, UInt8

from genpipe.interfaces.generative import Generative
from genpipe.interfaces.styles import HasStyles
from genpipe.nn.batched_inference import passed, shown


def styles(model: Generative, z: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n w"]:
    """The style of each code."""
    assert isinstance(model, HasStyles)
    return passed(z.astype(np.float32), lambda part: model.style(part).float(), model.device)


def styled(model: Generative, w: Float[np.ndarray, "n layers w"]) -> UInt8[np.ndarray, "n c h w2"]:
    """The uint8 images of the styles of each layer."""
    assert isinstance(model, HasStyles)
    return shown(w.astype(np.float32), model.from_styles, model, "images of styles")


def everywhere(model: Generative, w: Float[np.ndarray, "n w"]) -> Float[np.ndarray, "n layers w"]:
    """The same style in all layers."""
    assert isinstance(model, HasStyles)
    return np.repeat(w[:, None], model.style_layers, axis=1)
