"""FID by samples: how the Fréchet distance falls as more samples are compared (Chong & Forsyth 2020)."""

from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from genpipe import plotting
from genpipe.analyses._scoring import named
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import Counts
from genpipe.schema import Strict


class FIDBySamples(Analysis):
    """FID of subsets of the samples against their size, and the line in 1/N that leads to infinitely many.

    The bias of FID in the number N of samples is a/N to first order (arXiv:1911.07023, sec. 3). The real side stays as
    it is, and with it the part of the bias that is due to it.
    """

    class Config(Strict):
        sizes: Annotated[int, Field(ge=2, le=50)] = 10
        """Evenly spaced; the largest is all samples."""
        smallest_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
        """Of the samples, in the smallest subsets."""
        subsets: Literal["disjoint", "nested"] = "disjoint"
        """Disjoint: as many of each size as there are samples for, and their mean; nested: one, inside the next."""

    metrics = ("fid",)

    @property
    def least_images(self) -> Counts:
        return Counts(training=2, samples=3)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        n = len(context.samples.images)
        order = np.random.default_rng(context.seed).permutation(n)
        smallest = max(2, round(n * self.config.smallest_share))
        sizes = np.unique(np.linspace(smallest, n, self.config.sizes).round().astype(int))
        values = []
        for size in sizes.tolist():
            groups = cut(order, size) if self.config.subsets == "disjoint" else [order[:size]]
            scores = [named(context.scorer(context.samples.part(g), self.metrics), "fid_") for g in groups]
            values.append([value for _, value in scores])
        name = scores[0][0]
        limit, slope = extrapolated(sizes, np.array([np.mean(v) for v in values]))
        picture = plotting.drawn(480, 320, lambda figure: _draw(figure, name, sizes, values, limit, slope))
        caption = (
            f"{name} of {self.config.subsets} subsets of the samples by their size; the line a + b/N through the means "
            f"leads to {limit:.4g} at infinitely many samples (dashed), {values[-1][0]:.4g} are measured with all."
        )
        return AnalysisResult({"fid_by_samples": (picture, caption)}, {f"{name}_infinite_samples": limit})


def cut(order: Int[np.ndarray, "n"], size: int) -> list[Int[np.ndarray, "k"]]:
    """As many disjoint groups of this size as there are, from the start."""
    return [order[start : start + size] for start in range(0, len(order) - size + 1, size)]


def extrapolated(sizes: Int[np.ndarray, "s"], values: Float[np.ndarray, "s"]) -> tuple[float, float]:
    """Limit a and slope b of the least-squares line a + b/N.

    Sizes count alike: the mean over disjoint subsets is about equally certain for each, since all use the same samples.
    """
    A = np.stack([np.ones(len(sizes)), 1 / sizes], axis=1)
    a, b = np.linalg.lstsq(A, values, rcond=None)[0]
    return float(a), float(b)


def _draw(figure: Any, name: str, sizes: Any, values: list[list[float]], limit: float, slope: float) -> None:
    axes = plotting.panel(figure, title=name, x="samples")
    n = np.linspace(sizes[0], sizes[-1], 200)
    every = [(size, value) for size, group in zip(sizes, values, strict=True) for value in group]
    axes.plot(*zip(*every, strict=True), "o", color=plotting.ACCENT, markersize=4, alpha=0.45, markeredgewidth=0)
    axes.plot(sizes, [np.mean(group) for group in values], "o", color=plotting.ACCENT, markersize=5, label="mean")
    axes.plot(n, limit + slope / n, color=plotting.ACCENT, label="a + b/N")
    axes.axhline(limit, color=plotting.WARM, linestyle=(0, (4, 3)), label=f"infinitely many: {limit:.4g}")
    axes.set_xlim(left=0)
    axes.margins(y=0.1)
    axes.locator_params(axis="x", nbins=6)
    axes.legend()
