"""Codes of images, images of codes, and ways from one code to another."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from genpipe.interfaces.analyses import AnalysisContext
from genpipe.interfaces.generative import Encodes
from genpipe.nn.latent_space import (
    Codes,
    Pixels,
    encoded,
    of_prior,
)


def starts(context: AnalysisContext, n: int) -> tuple[Codes, str]:
    """Codes to begin at, and whose they are: of the first held-out images, or of the prior if nothing is encoded."""
    if isinstance(context.model, Encodes):
        return encoded(context.model, context.real.held_out.images[:n]), "held-out images"
    return of_prior(context.model, n, context.seed), "the prior"


def path_length(
    context: AnalysisContext, images: Callable[[np.ndarray], Pixels], t: Float[np.ndarray, "n 1"], step: float
) -> float:
    """The mean of d²/ε² over ways, d between the features of the images at the place t of each and at t + ε.

    Karras et al. 2019 (arXiv:1812.04948), eq. 2; `images` gives the image of every way at the places it is given.
    """
    here, there = (context.extract(images(at)).features.astype(np.float64) for at in (t, t + step))
    return float(np.square(here - there).sum(1).mean() / step**2)
