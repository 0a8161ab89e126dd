"""Truncation: precision against recall as codes come from ever less of the prior, or nearer to the mean style."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import UInt8
from pydantic import Field

from genpipe import plotting
from genpipe.analyses._ranks import rank_correlation
from genpipe.analyses._scoring import named
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.truncation import Truncates
from genpipe.nn.image_grid import grid
from genpipe.nn.pixel_range import Output, warn_beyond
from genpipe.schema import Strict

_AT_ONCE = 500
_SHOWN = 10
"""Images of each threshold in the picture."""


class Truncation(Analysis):
    """Improved precision and recall of samples at each threshold (arXiv:1809.11096, section 3.1 and figure 2).

    Where truncation works, recall rises with the threshold (rank correlation 1) and precision falls (−1).
    """

    class Config(Strict):
        thresholds: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=3)] = [0.05, 0.25, 0.5, 1.0, 2.0]
        images: Annotated[int, Field(ge=20, le=1_000_000)] = 1000
        """Drawn at each threshold."""

    requires = (Truncates,)
    metrics = ("precision_recall",)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        thresholds = sorted(self.config.thresholds)
        drawn = [drawn_within(context, threshold, self.config.images) for threshold in thresholds]
        scores = [context.scorer(context.extract(images), self.metrics) for images in drawn]
        precision, recall = (np.array([named(s, kind)[1] for s in scores]) for kind in ("precision_", "recall_"))
        numbers = {
            f"truncation_{kind}_rank_correlation": rank_correlation(np.array(thresholds), values)
            for kind, values in (("precision", precision), ("recall", recall))
        }
        curve = plotting.drawn(400, 400, lambda figure: _draw(figure, thresholds, precision, recall))
        told = (
            f"Precision and recall of {self.config.images:,} samples, truncated at {thresholds[0]:g} to "
            f"{thresholds[-1]:g}: from {precision[0]:.2f} and {recall[0]:.2f} to {precision[-1]:.2f} and "
            f"{recall[-1]:.2f}."
        )
        rows = np.concatenate([images[:_SHOWN] for images in drawn])
        shown = f"The first samples at each threshold, from {thresholds[0]:g} (top) to {thresholds[-1]:g}."
        return AnalysisResult({"truncation": (curve, told), "truncated_samples": (grid(rows, _SHOWN), shown)}, numbers)


def drawn_within(context: AnalysisContext, threshold: float, n: int) -> UInt8[np.ndarray, "n c h w"]:
    """Samples truncated at a threshold; at each, codes come from the same random numbers."""
    model = context.model
    assert isinstance(model, Truncates)
    rng = torch.Generator(model.device).manual_seed(context.seed)
    counts = [min(_AT_ONCE, n - first) for first in range(0, n, _AT_ONCE)]
    output = Output(type(model).__name__, "truncated samples")
    with torch.inference_mode():
        parts = [output.pixels(model.sample_within(count, threshold, rng)).cpu().numpy() for count in counts]
    warn_beyond([output])
    return np.concatenate(parts)


def _draw(figure: Any, thresholds: Sequence[float], precision: Any, recall: Any) -> None:
    axes = plotting.panel(figure, x="recall", y="precision")
    axes.grid(axis="x", color=plotting.INK, alpha=0.15, linewidth=0.6)
    axes.plot(recall, precision, "o-", color=plotting.ACCENT, markersize=4.5)
    for threshold, x, y in zip(thresholds, recall, precision, strict=True):
        axes.annotate(f"{threshold:g}", (x, y), (0, 7), textcoords="offset points", ha="center", fontsize=9)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.08)
    axes.set_aspect("equal")
