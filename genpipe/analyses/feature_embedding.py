"""Feature embedding: real and generated images as points of a plane."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from genpipe import plotting
from genpipe.analyses._embedding import neighborly, plane, scattered
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import Counts
from genpipe.schema import Strict


class FeatureEmbedding(Analysis):
    """The features of training images and samples in two dimensions.

    The plane of `principal_components` is that of the training images alone, so that experiments on the same data share
    it; `tsne` (van der Maaten & Hinton 2008) keeps neighbors together, and its distances across the picture mean
    nothing.
    """

    class Config(Strict):
        method: Literal["principal_components", "tsne"] = "principal_components"
        images: Annotated[int, Field(ge=2)] = 2000
        """At most so many of the training images, and of the samples."""
        perplexity: Annotated[float, Field(gt=0)] = 30.0
        """Of tsne: about how many neighbors count."""

    @property
    def least_images(self) -> Counts:
        return Counts(training=2)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        rng = np.random.default_rng(context.seed)
        real, fake = (
            e.features[np.sort(rng.permutation(len(e.features))[: self.config.images])].astype(np.float64)
            for e in (context.real.training, context.samples)
        )
        x, y, share = plane(real, fake, context.seed)
        told, numbers = (
            f"in the plane of the training images' two main components, with {share:.0%} of their variance",
            {},
        )
        if self.config.method == "tsne":
            start = np.concatenate([x, y])
            points = neighborly(np.concatenate([real, fake]), start, self.config.perplexity, context.seed)
            x, y = points[: len(x)], points[len(x) :]
            told = f"by t-SNE (perplexity {self.config.perplexity:g}), in which only neighborhood counts"
        else:
            numbers["embedding_variance_share"] = share
        groups = {"training images": x, "samples": y}
        picture = scattered(groups, {"training images": plotting.SOFT, "samples": plotting.ACCENT})
        caption = f"Features of {len(x):,} training images and {len(y):,} samples {told}."
        return AnalysisResult({"feature_embedding": (picture, caption)}, numbers)
