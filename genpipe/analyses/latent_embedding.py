"""Embedding: the codes of images as points of a plane, colored by class."""

from math import floor
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from genpipe import plotting
from genpipe.analyses._embedding import neighborly, plane, scattered, umap_of
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import Counts
from genpipe.interfaces.generative import Encodes
from genpipe.nn.latent_space import encoded
from genpipe.schema import Strict

_COLORS = (
    "#1b5e86", "#c0562a", "#4d8f4f", "#8a5ba6", "#c99a2e", "#3fa3a8", "#b0436e", "#6b6f2f", "#7f97c9", "#7a5240",
)  # fmt: skip
"""Of the first classes; the others share one."""


class LatentEmbedding(Analysis):
    """The codes of held-out images in two dimensions: as they are, if they have two numbers, else projected.

    `principal_components` are those of the codes; `tsne` (van der Maaten & Hinton 2008) and `umap` (McInnes et al.
    2018, arXiv:1802.03426) keep neighbors together, and distances across mean nothing.
    """

    class Config(Strict):
        method: Literal["principal_components", "tsne", "umap"] = "principal_components"
        images: Annotated[int, Field(ge=3)] = 2000
        """At most so many."""
        neighbors: Annotated[float, Field(gt=1)] = 30.0
        """About how many count: the perplexity of tsne."""

    requires = (Encodes,)
    lowered = {"neighbors": 2}

    @property
    def least_images(self) -> Counts:
        return Counts(held_out=floor(self.config.neighbors) + 1 if self.config.method == "tsne" else 2)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        held_out = context.real.held_out
        some = held_out.part(slice(0, self.config.images))
        z = encoded(context.model, some.images).astype(np.float64)
        points, told, numbers = self._placed(z, context.seed)
        groups = _by_class(points, some.labels)
        colors = {name: (*_COLORS, *[plotting.SOFT] * len(groups))[k] for k, name in enumerate(groups)}
        caption = f"Codes of {len(z):,} held-out images, {told}{'; one color per class' * (len(groups) > 1)}."
        return AnalysisResult({"latent_embedding": (scattered(groups, colors), caption)}, numbers)

    def _placed(self, z: Float[np.ndarray, "n d"], seed: int) -> tuple[Float[np.ndarray, "n 2"], str, dict[str, float]]:
        """Points, how they were made in words, and the share of the codes' variance that a plane shows."""
        if z.shape[1] < 3:
            return np.pad(z, ((0, 0), (0, 2 - z.shape[1]))), "as they are", {}
        x, _, share = plane(z, z[:1], seed)
        if self.config.method == "principal_components":
            told = f"in the plane of their two main components, with {share:.0%} of their variance"
            return x, told, {"code_variance_share": share}
        counts = f"(about {self.config.neighbors:g} neighbors), in which only neighborhood counts"
        if self.config.method == "tsne":
            return neighborly(z, x, self.config.neighbors, seed), f"by t-SNE {counts}", {}
        return umap_of(z, round(self.config.neighbors), seed), f"by UMAP {counts}", {}


def _by_class(points: np.ndarray, labels: np.ndarray | None) -> dict[str, np.ndarray]:
    if labels is None:
        return {"images": points}
    return {str(k): points[np.asarray(labels) == k] for k in np.unique(labels)}
