"""Critic's estimate: whether what a critic says of the distance falls as FID does (Gulrajani et al. 2017)."""

from typing import Any

import numpy as np
from jaxtyping import Float

from genpipe import plotting
from genpipe.analyses._ranks import rank_correlation
from genpipe.analyses._scoring import named
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.schema import Strict

COLUMN = "discriminator/critic_estimate"


class CriticEstimate(Analysis):
    """E D(x) − E D(G(z)) in the course of the training beside FID, and their rank correlation by step.

    The loss of a critic is meant to say how good samples are (arXiv:1704.00028, section 5.3), which that of a
    discriminator does not. The estimate at a step is the mean of the curve's row that ends there.
    """

    class Config(Strict): ...

    metrics = ("fid",)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        noted = {row["step"]: row[COLUMN] for row in context.curves if COLUMN in row}
        rows = [row for row in context.scores_by_step if row["step"] in noted]
        if len(rows) < 2:
            raise Unsuitable(
                "critic_estimate needs a critic (`loss: wasserstein`) and samples of two steps or more that are in "
                "the curves too; set train.score_every_steps to a multiple of train.log_every_steps, or take it out."
            )
        name = named(rows[0], "fid_")[0]
        steps, fid = (np.array([row[key] for row in rows]) for key in ("step", name))
        estimate = np.array([noted[step] for step in steps])
        correlation = rank_correlation(estimate, fid)
        picture = plotting.drawn(640, 300, lambda figure: _draw(figure, name, steps, estimate, fid))
        told = (
            f"The critic's estimate of the distance between real and generated images, and {name} of samples of the "
            f"same steps; their rank correlation is {correlation:.2f}."
        )
        return AnalysisResult({"critic_estimate": (picture, told)}, {"critic_fid_rank_correlation": correlation})


def _draw(figure: Any, name: str, steps: Any, estimate: Float[np.ndarray, "k"], fid: Float[np.ndarray, "k"]) -> None:
    for place, (title, values, color) in enumerate(
        (("critic's estimate", estimate, plotting.WARM), (name, fid, plotting.ACCENT)), 1
    ):
        axes = plotting.panel(figure, 1, 2, place, title=title, x="step")
        axes.plot(steps, values, "o-", color=color, markersize=4)
        axes.set_ylim(0, 1.1 * max(values))
