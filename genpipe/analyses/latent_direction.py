"""Direction: the way in which codes change with one thing that images show."""

from typing import Annotated, Any

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field

from genpipe import plotting
from genpipe.analyses._attributes import Attribute, attribute, examples, missing, too_alike
from genpipe.analyses._ranks import rank_correlation
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import DatasetInfo
from genpipe.interfaces.generative import Decodes
from genpipe.nn.batched_inference import decoded
from genpipe.nn.image_grid import grid
from genpipe.schema import Strict

_LEAST = 1e-12
"""A probability counts as this much at least."""
_END = 0.2
"""The share of images that are taken for an end of a continuous factor."""


class LatentDirection(Analysis):
    """z + α (mean of the codes of one end − mean of those of the other), as Radford et al. 2016 turn faces (fig. 8).

    Ends are two classes, two categories of a factor, or the lowest and highest fifth of a continuous one; of a place on
    a circle, those of its sine. The figure is the rank correlation of α with what is seen in the images: of classes
    their log odds, of categories the difference of their readings. 1: it rises with α throughout. Codes set out from
    the first of two categories.
    """

    class Config(Strict):
        factor: str | None = None
        """One that the source knows; null is the class."""
        ends: Annotated[list[int], Field(min_length=2, max_length=2)] | None = None
        """The categories from which and to which; the first and the last, if none are given."""
        reach: Annotated[float, Field(gt=0)] = 1.0
        """α runs from −reach to reach."""
        images: Annotated[int, Field(ge=3, le=64)] = 11
        """Along the way."""
        starts: Annotated[int, Field(ge=1)] = 100
        """Codes over which the figure is averaged."""
        shown: Annotated[int, Field(ge=1, le=64)] = 6
        examples: Annotated[int, Field(ge=10)] = 2000

    requires = (Decodes,)

    def unmet_requirement(self, info: DatasetInfo) -> str | None:
        return missing(info, self.config.factor)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        of = attribute(context, self.config.factor)
        z, values, whose = examples(of, self.config.examples)
        low, high = self._ends(of, values)
        if not (low.any() and high.any()):
            return too_alike(
                of, "latent_direction", z[: self.config.shown], f"no example shows one of the two ends of {of.name}"
            )
        turn = z[high].mean(0) - z[low].mean(0)
        begin = (z if of.true.dtype.kind in "fc" else z[low])[: self.config.starts]
        alphas = np.linspace(-self.config.reach, self.config.reach, self.config.images)
        images = decoded(context.model, (begin[:, None] + alphas[:, None] * turn).reshape(-1, z.shape[1]))
        seen = self._seen(of, images).reshape(len(begin), -1)
        followed = float(np.mean([rank_correlation(alphas, row) for row in seen]))
        shown = images[: self.config.shown * len(alphas)]
        told = (
            f"Codes of {whose}, moved by α times the difference of the means of {high.sum():,} and {low.sum():,} of "
            f"them: the two ends of {of.name}. α from {alphas[0]:g} to {alphas[-1]:g}."
        )
        drawing = plotting.drawn(480, 300, lambda figure: _draw(figure, alphas, seen, self._axis(of)))
        plotted = (
            f"What is seen in {len(begin):,} images as they are moved, and the mean; rank correlation {followed:.3f}."
        )
        pictures = {"latent_direction": (grid(shown, len(alphas)), told), "latent_direction_seen": (drawing, plotted)}
        return AnalysisResult(pictures, {"latent_direction_rank_correlation": followed})

    def _pair(self, of: Attribute) -> tuple[int, int]:
        """The two categories, by their places. Raises Unsuitable if there is no such category."""
        every = of.categories.tolist()
        ends = self.config.ends or [every[0], every[-1]]
        if unknown := [end for end in ends if end not in every]:
            raise Unsuitable(f"latent_direction: {of.name} has no value {unknown[0]}; `ends` are two of {every}.")
        return every.index(ends[0]), every.index(ends[1])

    def _ends(self, of: Attribute, values: np.ndarray) -> tuple[Bool[np.ndarray, "n"], Bool[np.ndarray, "n"]]:
        """Which examples are at the one end, and which at the other."""
        if of.true.dtype.kind in "fc":
            numbers = np.asarray(values.imag if of.true.dtype.kind == "c" else values)
            return numbers <= np.quantile(numbers, _END), numbers >= np.quantile(numbers, 1 - _END)
        low, high = (values == of.categories[place] for place in self._pair(of))
        return low, high

    def _seen(self, of: Attribute, images: np.ndarray) -> Float[np.ndarray, "m"]:
        """Where images are between the two ends."""
        read = of.read(images).astype(np.float64)
        if of.true.dtype.kind in "fc":
            return read[:, -1]
        low, high = self._pair(of)
        if of.reading is None:
            read = np.log(np.maximum(read, _LEAST))
        return read[:, high] - read[:, low]

    def _axis(self, of: Attribute) -> str:
        if of.true.dtype.kind in "fc":
            return f"sine of {of.name}" if of.true.dtype.kind == "c" else of.name
        low, high = (of.categories[place] for place in self._pair(of))
        return f"log odds of {of.name} {high} to {low}" if of.reading is None else f"{of.name} {high} less {low}"


def _draw(figure: Any, alphas: Float[np.ndarray, "s"], seen: Float[np.ndarray, "n s"], axis: str) -> None:
    axes = plotting.panel(figure, x="α", y=axis)
    axes.plot(alphas, seen.T, color=plotting.SOFT, linewidth=0.7, alpha=0.35)
    axes.plot(alphas, seen.mean(0), "o-", color=plotting.ACCENT, markersize=4)
