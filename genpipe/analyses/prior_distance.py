"""Prior distance: how far the codes of held-out images are from the prior from which samples are decoded."""

from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field

from genpipe.analyses import _plots
from genpipe.analyses._passing import codes
from genpipe.interfaces import Analysis, Decodes, Encodes, Findings, Subject
from genpipe.schema import Strict

Points = Float[np.ndarray, "n d"]
Others = Float[np.ndarray, "m d"]


class PriorDistance(Analysis):
    """Squared maximum mean discrepancy of codes and draws of the prior; beside it, that of two sets of draws.

    The kernel is k(a, b) = C / (C + ‖a − b‖²) with C twice the number of dimensions times the mean variance of the
    prior, the inverse multiquadric of Wasserstein autoencoders (Tolstikhin et al. 2018, arXiv:1711.01558, section 4).
    """

    class Config(Strict):
        images: Annotated[int, Field(ge=2)] = 2000
        """At most so many of the held-out ones, and as many draws."""

    requires = (Encodes, Decodes)

    def run(self, subject: Subject) -> Findings:
        model, rng = subject.model, torch.Generator(subject.model.device).manual_seed(subject.seed)
        assert isinstance(model, Decodes)
        z = codes(model, subject.real.held_out.images[: self.config.images]).astype(np.float64)
        with torch.inference_mode():
            p, again = (model.prior(len(z), rng).cpu().numpy().astype(np.float64) for _ in range(2))
        scale = 2 * p.shape[1] * float(p.var(0).mean())
        numbers = {"prior_mmd": mmd(z, p, scale), "prior_mmd_floor": mmd(again, p, scale)}
        drawing = _plots.drawn(480, 320, lambda figure: _draw(figure, z, p))
        told = f"All numbers of the codes of {len(z):,} held-out images, and of as many codes drawn from the prior."
        return Findings({"prior_distance": (drawing, told)}, numbers)


def mmd(a: Points, b: Others, scale: float) -> float:
    """The unbiased estimate of the squared maximum mean discrepancy (Gretton et al. 2012, eq. 3); it may be below 0."""
    within = [(_kernel(x, x, scale).sum() - len(x)) / (len(x) * (len(x) - 1)) for x in (a, b)]
    return float(sum(within) - 2 * _kernel(a, b, scale).mean())


def _kernel(a: Points, b: Others, scale: float) -> Float[np.ndarray, "n m"]:
    squared = np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * a @ b.T
    return scale / (scale + np.maximum(squared, 0))


def _draw(figure: Any, z: Points, p: Points) -> None:
    axes = _plots.panel(figure, x="number of a code", y="density")
    low, high = np.quantile(np.concatenate([z.ravel(), p.ravel()]), [0.005, 0.995])
    edges = np.linspace(low, high, 61)
    axes.hist(p.ravel(), edges, density=True, color=_plots.SOFT, alpha=0.6, label="prior")
    axes.hist(z.ravel(), edges, density=True, color=_plots.ACCENT, alpha=0.6, label="codes of images")
    axes.legend()
