"""Code sparsity: how many units of a code an image leaves silent."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool

from genpipe.analyses import _plots
from genpipe.analyses._passing import codes
from genpipe.interfaces import Analysis, Encodes, Findings, Subject
from genpipe.nn.autoencoding import NEAR_ZERO, silent_share
from genpipe.schema import Strict


class CodeSparsity(Analysis):
    """The share of near-zero units in the codes of held-out images, and the share of units that are so for all."""

    class Config(Strict): ...

    requires = (Encodes,)

    def run(self, subject: Subject) -> Findings:
        z = codes(subject.model, np.asarray(subject.real.held_out.images))
        active = np.abs(z) > NEAR_ZERO * np.sqrt(np.square(z.astype(np.float64)).mean())
        numbers = {
            "code_silent_share": float(silent_share(torch.from_numpy(z).double())),
            "code_dead_share": float((~active.any(0)).mean()),
        }
        drawing = _plots.drawn(480, 320, lambda figure: _draw(figure, active))
        told = f"Of {z.shape[1]} units, how many are not near zero, for each of {len(z):,} held-out images."
        return Findings({"code_sparsity": (drawing, told)}, numbers)


def _draw(figure: Any, active: Bool[np.ndarray, "n d"]) -> None:
    axes = _plots.panel(figure, x="units that are not near zero", y="images")
    units = active.shape[1]
    bins = np.arange(units + 2) - 0.5 if units < 60 else 40
    axes.hist(active.sum(1), bins, range=(0, units), color=_plots.ACCENT)
    axes.set_xlim(-0.5, units + 0.5)
