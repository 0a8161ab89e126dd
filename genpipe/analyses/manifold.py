"""Manifold: what a decoder makes of a grid of codes."""

from typing import Annotated

import numpy as np
from jaxtyping import Float
from pydantic import Field

from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import Counts
from genpipe.interfaces.generative import Decodes, Encodes
from genpipe.nn.batched_inference import decoded
from genpipe.nn.image_grid import grid
from genpipe.nn.latent_space import encoded, of_prior, quantiles
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

    def run(self, context: AnalysisContext) -> AnalysisResult:
        n = self.config.images
        z = of_prior(context.model, _DRAWN, context.seed)
        if z.shape[1] == 2:
            center, axes, told = np.zeros(2), np.eye(2), "the two numbers of a code run over the quantiles of the prior"
            places = quantiles(z, n, self.config.tail)
        else:
            center, axes, places, share = self._plane(context)
            told = f"in the plane of the codes' two main components, with {share:.0%} of their variance, over quantiles"
        across, up = np.meshgrid(places[:, 0], places[::-1, 1])
        codes = center + across.reshape(-1, 1) * axes[0] + up.reshape(-1, 1) * axes[1]
        return AnalysisResult(
            {"manifold": (grid(decoded(context.model, codes), n), f"Images of a grid of codes: {told}.")}
        )

    def _plane(
        self, context: AnalysisContext
    ) -> tuple[Float[np.ndarray, "d"], Float[np.ndarray, "2 d"], Float[np.ndarray, "n 2"], float]:
        """Center, directions, places along them, and the share of the variance that lies in them."""
        if not isinstance(context.model, Encodes):
            raise Unsuitable(
                "manifold: of a model that doesn't encode, codes must have two numbers: which plane of longer ones "
                "tells most is not known. Set `latent_dim` to 2, or take the analysis out."
            )
        z = encoded(context.model, context.real.training.images[:_ENCODED]).astype(np.float64)
        center = z.mean(0)
        _, spread, axes = np.linalg.svd(z - center, full_matrices=False)
        axes = axes[:2] * np.sign(axes[:2].sum(1, keepdims=True))  # an eigenvector's sign is a matter of chance
        share = float(np.square(spread[:2]).sum() / np.square(spread).sum())
        return center, axes, quantiles((z - center) @ axes.T, self.config.images, self.config.tail), share
