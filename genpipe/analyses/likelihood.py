"""Likelihood: how probable a model finds held-out images, in nats and in bits for each number of an image."""

from math import log
from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field

from genpipe import plotting
from genpipe.analyses._held_out import batches, some
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import Counts
from genpipe.interfaces.likelihood import HasImportanceWeights, HasLikelihood
from genpipe.interfaces.tensors import Images
from genpipe.nn.levels import as_stored, bits_per_dimension, dequantized
from genpipe.schema import Strict

_BOUNDS = (1, 5, 50)
"""The numbers of codes whose bounds are figures; the first is the evidence lower bound."""
_MEANT = {
    "density": "of images in 256 levels, from densities of images dequantized by uniform noise",
    "256 levels": "of images in 256 levels",
    "2 levels": "of images in two levels",
}


class Likelihood(Analysis):
    """−log P of held-out images as they are stored: less is better, and images of equal size and levels compare.

    Where codes are drawn for an image it is estimated by importance sampling (Burda et al. 2016, arXiv:1509.00519,
    eq. 8), from above on average: more draws give less.
    """

    class Config(Strict):
        images: Annotated[int, Field(ge=2)] = 500
        """At most so many of the held-out ones."""
        draws: Annotated[int, Field(ge=1, le=1_000_000)] = 500
        """Codes for each image, where the likelihood is estimated."""

    requires = (HasLikelihood,)

    @property
    def least_images(self) -> Counts:
        return Counts(held_out=2)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        model = context.model
        assert isinstance(model, HasLikelihood)
        which = some(context, self.config.images)
        rng = torch.Generator(model.device).manual_seed(context.seed)
        with torch.inference_mode():
            parts = [stored_bounds(model, x, self.config.draws, rng) for x in batches(context, which)]
        bounds = {k: -torch.cat([part[k] for part in parts]).cpu().numpy() for k in parts[0]}
        nll, values = bounds[max(bounds)], int(np.prod(context.real.held_out.images.shape[1:]))
        bits = bits_per_dimension(float(nll.mean()), values)
        numbers = {"nll_nats": float(nll.mean()), "bits_per_dimension": bits}
        numbers |= {f"negative_bound_{k}_nats": float(each.mean()) for k, each in bounds.items() if k in _BOUNDS}
        picture = plotting.drawn(480 * min(len(bounds), 2), 300, lambda figure: _draw(figure, bounds))
        return AnalysisResult({"likelihood": (picture, _told(model, bounds, bits))}, numbers)


def stored_bounds(
    model: HasLikelihood, x: Images, draws: int, rng: torch.Generator
) -> dict[int, Float[torch.Tensor, " b"]]:
    """Lower bounds on log P of stored images in nats, by how many codes each is of; 0 stands for no bound but log P.

    Bounds of few codes are averaged over as many groups as there are.
    """
    values, of = x[0].numel(), model.likelihood_of
    given = dequantized(x, rng) if of == "density" else x
    if not isinstance(model, HasImportanceWeights):
        return {0: as_stored(model.log_likelihood(given, draws, rng).double(), of, values)}
    log_w = model.log_weights(given, draws, rng).double()
    return {k: as_stored(bound(log_w, k), of, values) for k in dict.fromkeys([*_BOUNDS, draws]) if k <= draws}


def bound(log_w: Float[torch.Tensor, "draws b"], k: int) -> Float[torch.Tensor, " b"]:
    """The log of the mean of k weights, averaged over all the groups of k that the draws make."""
    groups = log_w[: len(log_w) // k * k].reshape(-1, k, log_w.shape[1])
    return (groups.logsumexp(1) - log(k)).mean(0)


def _told(model: HasLikelihood, bounds: dict[int, np.ndarray], bits: float) -> str:
    k = max(bounds)
    nll = bounds[k]
    error = nll.std(ddof=1) / len(nll) ** 0.5
    how = f", estimated with {k:,} codes each" if k else ""
    elbo = f" The evidence lower bound gives {bounds[1].mean():,.2f}." if 1 in bounds and k > 1 else ""
    return (
        f"−log P {_MEANT[model.likelihood_of]}: {nll.mean():,.2f} ± {error:.2f} nats on average over {len(nll):,} "
        f"held-out ones{how}, which is {bits:.4f} bits for each number of an image.{elbo}"
    )


def _draw(figure: Any, bounds: dict[int, np.ndarray]) -> None:
    panels, nll = min(len(bounds), 2), bounds[max(bounds)]
    axes = plotting.panel(figure, 1, panels, 1, x="−log P of an image, nats", y="held-out images")
    axes.hist(nll, bins=40, color=plotting.SOFT)
    axes.axvline(nll.mean(), color=plotting.ACCENT, label=f"mean {nll.mean():,.1f}")
    axes.legend()
    if panels == 2:
        axes = plotting.panel(figure, 1, panels, 2, x="codes in the bound", y="bound on −log P, nats")
        axes.plot(list(bounds), [each.mean() for each in bounds.values()], "o-", color=plotting.ACCENT, markersize=5)
        axes.set_xscale("log")
        axes.set_xticks(list(bounds), [f"{k:,}" for k in bounds], minor=False)
        axes.minorticks_off()
        axes.margins(y=0.15)
