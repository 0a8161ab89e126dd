"""Reconstruction: held-out images beside what a model makes of them."""

from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from genpipe.interfaces import Analysis, Findings, Reconstructs, Subject
from genpipe.nn.pictures import grid
from genpipe.nn.pixels import to_model, to_pixels
from genpipe.schema import Strict


class Reconstruction(Analysis):
    """A picture of pairs, and the mean squared error over all held-out images."""

    class Config(Strict):
        images: Annotated[int, Field(ge=1, le=64)] = 10

    requires = (Reconstructs,)

    def run(self, subject: Subject) -> Findings:
        held_out = np.asarray(subject.real.held_out.images)
        chunks = np.array_split(held_out, -(-len(held_out) // 500))
        rebuilt = np.concatenate([_rebuilt(subject, chunk) for chunk in chunks])
        n = min(self.config.images, len(held_out))
        error = np.square((rebuilt.astype(np.float64) - held_out) * (2 / 255)).sum((1, 2, 3)).mean()
        picture = grid(np.concatenate([held_out[:n], rebuilt[:n]]), n)
        caption = "Held-out images above, their reconstructions below."
        return Findings({"reconstruction": (picture, caption)}, {"reconstruction_squared_error": float(error)})


def _rebuilt(subject: Subject, images: np.ndarray) -> np.ndarray:
    """The reconstructions of uint8 images, uint8."""
    assert isinstance(subject.model, Reconstructs)
    with torch.inference_mode():
        x = to_model(torch.from_numpy(images.copy()).to(subject.model.device))
        return to_pixels(subject.model.reconstruct(x)).cpu().numpy()
