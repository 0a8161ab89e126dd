"""Aggregated posterior: how far the codes of images are, all together, from the prior that samples start from."""

from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field

from genpipe import plotting
from genpipe.analyses._held_out import batches, some
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import Counts
from genpipe.interfaces.generative import Decodes, Encodes
from genpipe.interfaces.tensors import Codes
from genpipe.nn.latent_space import drawn_codes
from genpipe.schema import Strict

_SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_BINS = 20
_PRIOR_DRAWS = 20_000
"""Decide where the bins of the marginals are."""
_CLASS_COLORS = ("C0", "C1", "C2", "C3", "C4", "C5", "C6", plotting.INK, "C8", "C9")
"""Of at most so many classes; gray is the prior."""


class AggregatedPosterior(Analysis):
    """Codes of held-out images (drawn from q(z|x), where that is a distribution) beside draws from the prior.

    MMD is that of Tolstikhin et al. 2018 (arXiv:1711.01558): unbiased, 0 on average for equal distributions.
    """

    class Config(Strict):
        images: Annotated[int, Field(ge=10, le=10_000)] = 1000
        """At most so many of the held-out ones, and as many codes of the prior."""

    requires = (Encodes, Decodes)

    @property
    def least_images(self) -> Counts:
        return Counts(held_out=2)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        which, model = some(context, self.config.images), context.model
        assert isinstance(model, Decodes)
        rng = torch.Generator(model.device).manual_seed(context.seed)
        with torch.inference_mode():
            codes = _numbers(torch.cat([drawn_codes(model, x, rng) for x in batches(context, which)]))
            prior, other = (_numbers(model.prior(len(codes), rng)) for _ in range(2))
            kl = marginal_kl(codes, _numbers(model.prior(_PRIOR_DRAWS, rng)))
        distance, floor = mmd2(codes, prior), mmd2(other, prior)
        labels = context.real.held_out.labels
        classes = None if labels is None else labels[which]
        picture = plotting.drawn(960, 400, lambda figure: _draw(figure, codes, prior, kl, classes))
        caption = (
            f"Codes of {len(codes):,} held-out images and as many of the prior, in the two numbers of the code that "
            f"are farthest from it. The squared MMD of the two is {distance:.3g}, that of prior and prior {floor:.1g}; "
            f"number by number the codes are {kl.sum():.3g} nats from the prior in all."
        )
        numbers = {"prior_mmd2": distance, "prior_mmd2_floor": floor, "prior_marginal_kl_nats": float(kl.sum())}
        return AnalysisResult({"aggregated_posterior": (picture, caption)}, numbers)


def mmd2(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n d"]) -> float:
    """The unbiased squared MMD for the mean of the kernels C / (C + ‖x − y‖²), C about ‖y − y′‖² times each scale."""
    n, middle = len(x), np.median(_squared(y, y)[np.triu_indices(len(y), 1)])

    def similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        away = _squared(a, b) / middle
        return np.mean([scale / (scale + away) for scale in _SCALES], axis=0)

    within = sum((similarity(a, a).sum() - n) / (n * (n - 1)) for a in (x, y))
    return float(within - 2 * similarity(x, y).mean())


def marginal_kl(codes: Float[np.ndarray, "n d"], prior: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "d"]:
    """KL(q(z_j) ‖ p(z_j)) of each number of the code in nats, in bins that hold equal shares of the prior.

    Within a bin nothing is seen, so it is a little low. What chance adds, about (bins − 1) / 2n, is taken off.
    """
    edges = np.quantile(prior, np.linspace(0, 1, _BINS + 1)[1:-1], axis=0)
    counts = [np.bincount(np.searchsorted(edge, z), minlength=_BINS) for edge, z in zip(edges.T, codes.T, strict=True)]
    share = np.stack(counts) / len(codes)
    return np.where(share > 0, share * np.log(np.maximum(share, 1e-300) * _BINS), 0).sum(1) - (_BINS - 1) / 2 / len(
        codes
    )


def _squared(a: np.ndarray, b: np.ndarray) -> Float[np.ndarray, "n m"]:
    """‖a − b‖² of all pairs."""
    return np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0)


def _numbers(z: Codes) -> Float[np.ndarray, "n d"]:
    return z.double().cpu().numpy()


def _draw(
    figure: Any, codes: np.ndarray, prior: np.ndarray, kl: np.ndarray, classes: Int[np.ndarray, "n"] | None
) -> None:
    order = np.argsort(-kl, kind="stable")
    i, j = sorted((order[0], order[min(1, len(order) - 1)]))
    axes = plotting.panel(figure, 1, 2, 1, x=f"number {i + 1} of the code", y=f"number {j + 1} of the code")
    axes.plot(
        prior[:, i], prior[:, j], "o", color=plotting.SOFT, markersize=3, alpha=0.5, markeredgewidth=0, label="prior"
    )
    if classes is None or classes.max() >= len(_CLASS_COLORS):
        classes, shown = np.zeros(len(codes), np.int64), {0: (plotting.ACCENT, "images")}
    else:
        shown = {k: (_CLASS_COLORS[k], f"class {k}") for k in np.unique(classes)}
    for k, (color, label) in shown.items():
        mine = codes[classes == k]
        axes.plot(mine[:, i], mine[:, j], "o", color=color, markersize=3, alpha=0.6, markeredgewidth=0, label=label)
    axes.set_aspect("equal", "datalim")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=2)
    bars = plotting.panel(figure, 1, 2, 2, x="number of the code, farthest first", y="KL from the prior, nats")
    bars.bar(np.arange(1, len(kl) + 1), kl[order], color=plotting.ACCENT)
    bars.locator_params(axis="x", integer=True)
