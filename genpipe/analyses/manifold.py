"""Manifold: what a decoder makes of a grid of codes."""

from typing import Annotated

import numpy as np
from jaxtyping import Float
from pydantic import Field

from genpipe.analyses._codes import encoded, of_prior, quantiles
from genpipe.errors import Unsuitable
from genpipe.interfaces import Analysis, Counts, Decodes, Encodes, Findings, Subject
from genpipe.nn.passing import decoded
from genpipe.nn.pictures import grid
from genpipe.schema import Strict

_DRAWN = 10_000
_ENCODED = 2000


class Manifold(Analysis):
    """Images of a grid of equally probable codes (Kingma & Welling 2014, arXiv:1312.6114, fig. 4).

    Two numbers of a code run over the quantiles of the prior. Of longer codes the grid lies in the plane of the two
    main components of the codes of training images, and runs over the quantiles of these.
    """

    class Config(Strict):
        images: Annotated[int, Field(ge=2, le=64)] = 15
        """Along each side."""
        tail: Annotated[float, Field(gt=0, lt=0.5)] = 0.025
        """Probability beyond the grid at either end of a side."""

    requires = (Decodes,)

    @property
    def least_images(self) -> Counts:
        return Counts(training=2)

    def run(self, subject: Subject) -> Findings:
        n = self.config.images
        z = of_prior(subject.model, _DRAWN, subject.seed)
        if z.shape[1] == 2:
            centre, axes, told = np.zeros(2), np.eye(2), "the two numbers of a code run over the quantiles of the prior"
            places = quantiles(z, n, self.config.tail)
        else:
            centre, axes, places, share = self._plane(subject)
            told = f"in the plane of the codes' two main components, with {share:.0%} of their variance, over quantiles"
        across, up = np.meshgrid(places[:, 0], places[::-1, 1])
        codes = centre + across.reshape(-1, 1) * axes[0] + up.reshape(-1, 1) * axes[1]
        return Findings({"manifold": (grid(decoded(subject.model, codes), n), f"Images of a grid of codes: {told}.")})

    def _plane(
        self, subject: Subject
    ) -> tuple[Float[np.ndarray, "d"], Float[np.ndarray, "2 d"], Float[np.ndarray, "n 2"], float]:
        """Centre, directions, places along them, and the share of the variance that lies in them."""
        if not isinstance(subject.model, Encodes):
            raise Unsuitable(
                "manifold: of a system that doesn't encode, codes must have two numbers: which plane of longer ones "
                "tells most is not known. Set `latent_dim` to 2, or take the analysis out."
            )
        z = encoded(subject.model, subject.real.training.images[:_ENCODED]).astype(np.float64)
        centre = z.mean(0)
        _, spread, axes = np.linalg.svd(z - centre, full_matrices=False)
        axes = axes[:2] * np.sign(axes[:2].sum(1, keepdims=True))  # an eigenvector's sign is a matter of chance
        share = float(np.square(spread[:2]).sum() / np.square(spread).sum())
        return centre, axes, quantiles((z - centre) @ axes.T, self.config.images, self.config.tail), share
