"""Path length: how evenly images change along ways between codes z, and between their styles w."""

from collections.abc import Callable, Mapping
from typing import Annotated

import numpy as np
from pydantic import Field

from genpipe.analyses._codes import path_length
from genpipe.analyses._styles import everywhere, styled, styles
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.styles import HasStyles
from genpipe.nn.batched_inference import decoded
from genpipe.nn.image_grid import grid
from genpipe.nn.latent_space import Pixels, linear, of_prior, spherical, way
from genpipe.schema import Strict

_SHOWN = 3
"""Pairs of codes in the picture."""


class PathLength(Analysis):
    """The perceptual path length in Z along circles and in W along lines (arXiv:1812.04948, section 4.1).

    Both between the same codes: on the whole way, and beside its beginning, where codes in W are styles of some z.
    """

    class Config(Strict):
        samples: Annotated[int, Field(ge=_SHOWN, le=1_000_000)] = 500
        """Ways between two codes."""
        step: Annotated[float, Field(gt=0, le=0.5)] = 0.05
        """ε."""
        images: Annotated[int, Field(ge=3, le=64)] = 11
        """Of a way, in the picture."""

    requires = (HasStyles,)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        n, step = self.config.samples, self.config.step
        z = of_prior(context.model, 2 * n, context.seed)
        w = styles(context.model, z)
        ways = self._ways(context.model, z, w)
        t = np.random.default_rng(context.seed).uniform(0, 1 - step, (n, 1))
        numbers = {}
        for space, along in ways.items():
            numbers[f"path_length_{space}"] = path_length(context, along, t, step)
            numbers[f"path_length_{space}_ends"] = path_length(context, along, np.zeros((n, 1)), step)
        told = (
            f"Between the same codes along the circle in Z, and below it along the line in W. Perceptual path length "
            f"{numbers['path_length_z']:.4g} in Z and {numbers['path_length_w']:.4g} in W."
        )
        return AnalysisResult({"path_length": (self._picture(context.model, z, w), told)}, numbers)

    def _ways(self, model: Generative, z: np.ndarray, w: np.ndarray) -> Mapping[str, Callable[[np.ndarray], Pixels]]:
        """The images at places of ways between the same codes in each space."""
        n = self.config.samples
        return {
            "z": lambda t: decoded(model, spherical(z[:n], z[n:], t)),
            "w": lambda t: styled(model, everywhere(model, linear(w[:n], w[n:], t))),
        }

    def _picture(self, model: Generative, z: np.ndarray, w: np.ndarray) -> np.ndarray:
        n, steps = self.config.samples, self.config.images
        rows = []
        for k in range(_SHOWN):
            rows.append(decoded(model, way(spherical, z[k], z[n + k], steps)))
            rows.append(styled(model, everywhere(model, way(linear, w[k], w[n + k], steps))))
        return grid(np.concatenate(rows), steps)
