"""Active units: how many numbers of a code say anything of the image (Burda et al. 2016, arXiv:1509.00519)."""

from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field

from genpipe import plotting
from genpipe.analyses._held_out import batches, some
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import Counts
from genpipe.interfaces.posterior import HasPosterior
from genpipe.schema import Strict


class ActiveUnits(Analysis):
    """A number of the code is active if the variance of its mean over images, Cov_x(E_q[z]), exceeds a threshold."""

    class Config(Strict):
        images: Annotated[int, Field(ge=2)] = 2000
        """At most so many of the held-out ones."""
        threshold: Annotated[float, Field(gt=0)] = 0.01
        """That of the paper, section 5.2."""

    requires = (HasPosterior,)

    @property
    def least_images(self) -> Counts:
        return Counts(held_out=2)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        model = context.model
        assert isinstance(model, HasPosterior)
        which = some(context, self.config.images)
        with torch.inference_mode():
            mu = torch.cat([model.posterior(x)[0] for x in batches(context, which)]).double().cpu().numpy()
        variance, threshold = np.sort(mu.var(0, ddof=1))[::-1], self.config.threshold
        active = int((variance > threshold).sum())
        picture = plotting.drawn(480, 300, lambda figure: _draw(figure, variance, threshold))
        caption = (
            f"The variance of the mean of each number of the code over {len(mu):,} held-out images, largest first: "
            f"{active} of {len(variance)} exceed {threshold:g} and so say something of the image."
        )
        return AnalysisResult({"active_units": (picture, caption)}, {"active_units": float(active)})


def _draw(figure: Any, variance: Float[np.ndarray, "d"], threshold: float) -> None:
    axes = plotting.panel(figure, x="number of the code, by its variance", y="variance of its mean")
    place = np.arange(1, len(variance) + 1)
    for which, color, label in (
        (variance > threshold, plotting.ACCENT, "active"),
        (variance <= threshold, plotting.SOFT, "not"),
    ):
        axes.plot(place[which], variance[which], "o", color=color, markersize=5, label=label)
    axes.axhline(threshold, color=plotting.WARM, linestyle=(0, (4, 3)), label=f"threshold {threshold:g}")
    axes.set_yscale("log")
    axes.legend()
