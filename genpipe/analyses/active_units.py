"""Active units: how many numbers of a code say anything of the image (Burda et al. 2016, arXiv:1509.00519)."""

from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field

from genpipe.analyses import _plots
from genpipe.analyses._held_out import batches, some
from genpipe.interfaces import Analysis, Counts, Findings, Infers, Subject
from genpipe.schema import Strict


class ActiveUnits(Analysis):
    """A number of the code is active if the variance of its mean over images, Cov_x(E_q[z]), exceeds a threshold."""

    class Config(Strict):
        images: Annotated[int, Field(ge=2)] = 2000
        """At most so many of the held-out ones."""
        threshold: Annotated[float, Field(gt=0)] = 0.01
        """That of the paper, section 5.2."""

    requires = (Infers,)

    @property
    def least_images(self) -> Counts:
        return Counts(held_out=2)

    def run(self, subject: Subject) -> Findings:
        model = subject.model
        assert isinstance(model, Infers)
        which = some(subject, self.config.images)
        with torch.inference_mode():
            mu = torch.cat([model.posterior(x)[0] for x in batches(subject, which)]).double().cpu().numpy()
        variance, threshold = np.sort(mu.var(0, ddof=1))[::-1], self.config.threshold
        active = int((variance > threshold).sum())
        picture = _plots.drawn(480, 300, lambda figure: _draw(figure, variance, threshold))
        caption = (
            f"The variance of the mean of each number of the code over {len(mu):,} held-out images, largest first: "
            f"{active} of {len(variance)} exceed {threshold:g} and so say something of the image."
        )
        return Findings({"active_units": (picture, caption)}, {"active_units": float(active)})


def _draw(figure: Any, variance: Float[np.ndarray, "d"], threshold: float) -> None:
    axes = _plots.panel(figure, x="number of the code, by its variance", y="variance of its mean")
    place = np.arange(1, len(variance) + 1)
    for which, colour, label in (
        (variance > threshold, _plots.ACCENT, "active"),
        (variance <= threshold, _plots.SOFT, "not"),
    ):
        axes.plot(place[which], variance[which], "o", color=colour, markersize=5, label=label)
    axes.axhline(threshold, color=_plots.WARM, linestyle=(0, (4, 3)), label=f"threshold {threshold:g}")
    axes.set_yscale("log")
    axes.legend()
