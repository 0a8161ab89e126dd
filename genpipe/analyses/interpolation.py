"""Walk: what lies between two codes, and how evenly a model gets from one image to another."""

from itertools import pairwise
from typing import Annotated

import numpy as np
from pydantic import Field

from genpipe.analyses._codes import path_length, starts
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import Counts
from genpipe.interfaces.generative import Decodes
from genpipe.nn.batched_inference import decoded
from genpipe.nn.image_grid import grid
from genpipe.nn.latent_space import PATHS, Path, of_prior, round_trip, way
from genpipe.schema import Strict


class Interpolation(Analysis):
    """Images along the line and along the circle between codes, still and moving, and the perceptual path length.

    That is the mean of d²/ε² over codes z₁, z₂ of the prior and places t, d the distance between the extractor's
    features of the images at t and at t + ε (Karras et al. 2019, arXiv:1812.04948, eq. 2; theirs are of VGG-16, ours
    are not to be compared with them). Images are rounded to 256 levels before, so that ε must not be too small.
    """

    class Config(Strict):
        pairs: Annotated[int, Field(ge=1, le=32)] = 5
        images: Annotated[int, Field(ge=3, le=64)] = 11
        """Along each way, both ends included."""
        frames: Annotated[int, Field(ge=2, le=200)] = 12
        """Of the moving picture, along each way."""
        path_samples: Annotated[int, Field(ge=2, le=1_000_000)] = 500
        """Pairs of neighboring images, for the path length."""
        path_step: Annotated[float, Field(gt=0, le=0.5)] = 0.05
        """ε."""

    requires = (Decodes,)

    @property
    def least_images(self) -> Counts:
        return Counts(held_out=2)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        z, whose = starts(context, self.config.pairs + 1)
        if len(z) < 2:
            raise Unsuitable("interpolation: a path needs two codes, and there is one held-out image.")
        rows = [way(path, a, b, self.config.images) for a, b in pairwise(z) for path in PATHS.values()]
        still = grid(decoded(context.model, np.concatenate(rows)), self.config.images)
        moving = self._moving(context, z)
        lengths = {name: self._length(context, path) for name, path in PATHS.items()}
        told = (
            f"Between codes of {whose}: along the line, and below it along the circle. Perceptual path length "
            f"{lengths['linear']:.4g} and {lengths['spherical']:.4g}."
        )
        pictures = {
            "interpolation": (still, told),
            "interpolation_animated": (moving, f"Round along circles between codes of {whose}."),
        }
        return AnalysisResult(pictures, {f"path_length_{name}": value for name, value in lengths.items()})

    def _moving(self, context: AnalysisContext, z: np.ndarray) -> np.ndarray:
        """Frames [f h w c] that end where they begin: in each column another image sets out."""
        images = decoded(context.model, round_trip(PATHS["spherical"], z, self.config.frames))
        shifted = [np.roll(images, -k * self.config.frames, 0) for k in range(len(z))]
        return np.stack([grid(np.stack(now), len(z)) for now in zip(*shifted, strict=True)])

    def _length(self, context: AnalysisContext, path: Path) -> float:
        n, step = self.config.path_samples, self.config.path_step
        z = of_prior(context.model, 2 * n, context.seed).astype(np.float64)
        t = np.random.default_rng(context.seed).uniform(0, 1 - step, (n, 1))
        return path_length(context, lambda at: decoded(context.model, path(z[:n], z[n:], at)), t, step)
