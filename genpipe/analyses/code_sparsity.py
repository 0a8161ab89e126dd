"""Code sparsity: how many units of a code an image leaves silent."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool

from genpipe import plotting
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.generative import Encodes
from genpipe.nn.autoencoding import NEAR_ZERO, sparsity
from genpipe.nn.latent_space import encoded
from genpipe.schema import Strict


class CodeSparsity(Analysis):
    """The share of near-zero units in the codes of held-out images, and the share of units that are so for all."""

    class Config(Strict): ...

    requires = (Encodes,)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        z = encoded(context.model, np.asarray(context.real.held_out.images))
        active = np.abs(z) > NEAR_ZERO * np.sqrt(np.square(z.astype(np.float64)).mean())
        numbers = {
            "code_sparsity": float(sparsity(torch.from_numpy(z).double())),
            "code_dead_share": float((~active.any(0)).mean()),
        }
        drawing = plotting.drawn(480, 320, lambda figure: _draw(figure, active))
        told = f"Of {z.shape[1]} units, how many are not near zero, for each of {len(z):,} held-out images."
        return AnalysisResult({"code_sparsity": (drawing, told)}, numbers)


def _draw(figure: Any, active: Bool[np.ndarray, "n d"]) -> None:
    axes = plotting.panel(figure, x="units that are not near zero", y="images")
    units = active.shape[1]
    bins = np.arange(units + 2) - 0.5 if units < 60 else 40
    axes.hist(active.sum(1), bins, range=(0, units), color=plotting.ACCENT)
    axes.set_xlim(-0.5, units + 0.5)
