"""Style mixing: images with the coarse, middle or fine styles of another (Karras et al. 2019, arXiv:1812.04948)."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from jaxtyping import Float
from pydantic import Field

from genpipe.analyses._styles import everywhere, styled, styles
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.extractors import FeatureSet
from genpipe.interfaces.styles import HasStyles
from genpipe.nn.image_grid import grid
from genpipe.nn.latent_space import of_prior
from genpipe.schema import Strict

BLOCKS = ("coarse", "middle", "fine")
"""Of layers, each about a third of them."""
Styles = Float[np.ndarray, "n layers w"]
_GRAY = 128


class StyleMixing(Analysis):
    """Figure 3 of the paper, and which of the two images a mixed one is nearer to in the extractor's features.

    `…_follows` is the share of mixed images that are nearer to the one that gave that block than to the one that gave
    the rest; of those whose sources are seen as different classes, `…_class` is the share that is seen as the former's.
    """

    class Config(Strict):
        sources: Annotated[int, Field(ge=1, le=20)] = 6
        """Images that are changed, a column each."""
        others: Annotated[int, Field(ge=1, le=10)] = 3
        """Images whose styles they take, a row each in each block."""
        pairs: Annotated[int, Field(ge=2, le=1_000_000)] = 500
        """For the figures."""

    requires = (HasStyles,)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        model, n = context.model, self.config.pairs
        w = everywhere(model, styles(model, of_prior(model, 2 * n, context.seed)))
        seen = [context.extract(styled(model, half)) for half in (w[:n], w[n:])]
        numbers: dict[str, float] = {}
        for name in BLOCKS:
            numbers |= told_by(name, context.extract(styled(model, mixed(w[:n], w[n:], name))), *seen)
        told = (
            "Top row: images that take coarse, middle and fine styles (three blocks of rows) of those in the left "
            "column. Nearer to the image that gave the block than to the other are "
            + ", ".join(f"{numbers[f'style_mixing_{name}_follows']:.0%}" for name in BLOCKS)
            + " of the mixed images."
        )
        return AnalysisResult({"style_mixing": (self._picture(context), told)}, numbers)

    def _picture(self, context: AnalysisContext) -> np.ndarray:
        model, columns, rows = context.model, self.config.sources, self.config.others
        w = everywhere(model, styles(model, of_prior(model, columns + rows, context.seed)))
        sources, others = w[:columns], w[columns:]
        top, left = styled(model, sources), styled(model, others)
        cells = [np.full_like(top[:1], _GRAY), top]
        for name in BLOCKS:
            for k in range(rows):
                taken = np.broadcast_to(others[k], sources.shape)
                cells += [left[k : k + 1], styled(model, mixed(sources, taken, name))]
        return grid(np.concatenate(cells), columns + 1)


def mixed(a: Styles, b: Styles, name: str) -> Styles:
    """The styles of a, but those of b in the layers of a block."""
    layers = np.array_split(np.arange(a.shape[1]), len(BLOCKS))[BLOCKS.index(name)]
    made = a.copy()
    made[:, layers] = b[:, layers]
    return made


def told_by(name: str, images: FeatureSet, rest: FeatureSet, block: FeatureSet) -> Mapping[str, float]:
    """How far mixed images follow those that gave a block, against those that gave the rest."""
    to_block, to_rest = (np.square(images.features.astype(np.float64) - of.features).sum(1) for of in (block, rest))
    numbers = {f"style_mixing_{name}_follows": float((to_block < to_rest).mean())}
    if images.probabilities is None or rest.probabilities is None or block.probabilities is None:
        return numbers
    shown, a, b = (of.probabilities.argmax(1) for of in (images, rest, block))  # type: ignore[union-attr]
    differ = a != b
    if differ.any():
        numbers[f"style_mixing_{name}_class"] = float((shown == b)[differ].mean())
    return numbers
