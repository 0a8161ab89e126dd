"""Code density: samples of the prior beside samples of densities that are fitted to the codes of training images."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field

from genpipe.analyses._scoring import named
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import Counts
from genpipe.interfaces.generative import Decodes, Encodes
from genpipe.nn.batched_inference import decoded, passed
from genpipe.nn.image_grid import grid
from genpipe.nn.latent_space import Codes, drawn_codes, of_prior
from genpipe.schema import Strict

_COLUMNS = 10
_ITERATIONS = 500


class CodeDensity(Analysis):
    """FID of as many images of codes of the prior, of a Gaussian and of a mixture, both with full covariances.

    The two are fitted by maximum likelihood after the training (Ghosh et al. 2020, arXiv:1903.12436, section 4) to
    codes of training images, drawn from q(z|x) where that is a distribution.
    """

    class Config(Strict):
        images: Annotated[int, Field(ge=10)] = 10_000
        """Training images, at most, to whose codes the densities are fitted."""
        components: Annotated[int, Field(ge=2)] = 10
        """Of the mixture."""
        samples: Annotated[int, Field(ge=10, le=1_000_000)] = 10_000
        """Of each density."""
        rows: Annotated[int, Field(ge=1, le=64)] = 3
        """Of ten images of each density, that are shown."""

    requires = (Encodes, Decodes)
    metrics = ("fid",)
    lowered = {"components": 2}

    @property
    def least_images(self) -> Counts:
        return Counts(training=self.config.components)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        rows = min(self.config.rows, self.config.samples // _COLUMNS)
        scores, shown = {}, []
        for kind, z in self._drawn(context).items():
            images = decoded(context.model, z)
            name, scores[kind] = named(context.scorer(context.extract(images), self.metrics), "fid_")
            shown.append(images[: rows * _COLUMNS])
        told = (
            f"Images of codes of the prior, of one Gaussian and of a mixture of {self.config.components}, the last two "
            f"fitted to codes of training images; {rows} rows each. {name} of {self.config.samples:,} "
            f"images each: {', '.join(f'{score:.4g}' for score in scores.values())}."
        )
        picture = grid(np.concatenate(shown), _COLUMNS)
        return AnalysisResult({"code_density": (picture, told)}, {f"{name}_of_{kind}": scores[kind] for kind in scores})

    def _drawn(self, context: AnalysisContext) -> Mapping[str, Codes]:
        """As many codes of each density. Raises Unsuitable if there are fewer images than components."""
        codes, n, seed = self._codes(context), self.config.samples, context.seed
        if len(codes) < self.config.components:
            raise Unsuitable(
                f"code_density: {len(codes)} images make no {self.config.components} components; ask for fewer."
            )
        fits = {"gaussian": 1, "mixture": self.config.components}
        return {"prior": of_prior(context.model, n, seed)} | {
            kind: drawn_like(codes, components, n, seed) for kind, components in fits.items()
        }

    def _codes(self, context: AnalysisContext) -> Codes:
        images = context.real.training.images
        some = np.sort(np.random.default_rng(context.seed).permutation(len(images))[: self.config.images])
        rng = torch.Generator(context.model.device).manual_seed(context.seed)
        return passed(images[some], lambda x: drawn_codes(context.model, x, rng), context.model.device)


def drawn_like(codes: Float[np.ndarray, "m d"], components: int, n: int, seed: int) -> Float[np.ndarray, "n d"]:
    """n codes of a mixture of so many Gaussians that is fitted to codes, in random order."""
    from sklearn.mixture import GaussianMixture

    fit = GaussianMixture(components, max_iter=_ITERATIONS, random_state=seed).fit(codes.astype(np.float64))
    drawn, _ = fit.sample(n)
    return np.random.default_rng(seed).permutation(drawn)
