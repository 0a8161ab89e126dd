"""Feature embedding: real and generated images as points of a plane."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from genpipe.analyses import _plots
from genpipe.analyses._embedding import neighbourly, plane, scattered
from genpipe.interfaces import Analysis, Counts, Findings, Subject
from genpipe.schema import Strict


class FeatureEmbedding(Analysis):
    """The features of training images and samples in two dimensions.

    The plane of `principal_components` is that of the training images alone, so that experiments on the same data share
    it; `tsne` (van der Maaten & Hinton 2008) keeps neighbours together, and its distances across the picture mean
    nothing.
    """

    class Config(Strict):
        method: Literal["principal_components", "tsne"] = "principal_components"
        images: Annotated[int, Field(ge=2)] = 2000
        """At most so many of the training images, and of the samples."""
        perplexity: Annotated[float, Field(gt=0)] = 30.0
        """Of tsne: about how many neighbours count."""

    @property
    def least_images(self) -> Counts:
        return Counts(training=2)

    def run(self, subject: Subject) -> Findings:
        rng = np.random.default_rng(subject.seed)
        real, fake = (
            e.features[np.sort(rng.permutation(len(e.features))[: self.config.images])].astype(np.float64)
            for e in (subject.real.training, subject.samples)
        )
        x, y, share = plane(real, fake, subject.seed)
        told, numbers = (
            f"in the plane of the training images' two main components, with {share:.0%} of their variance",
            {},
        )
        if self.config.method == "tsne":
            start = np.concatenate([x, y])
            points = neighbourly(np.concatenate([real, fake]), start, self.config.perplexity, subject.seed)
            x, y = points[: len(x)], points[len(x) :]
            told = f"by t-SNE (perplexity {self.config.perplexity:g}), in which only neighbourhood counts"
        else:
            numbers["embedding_variance_share"] = share
        groups = {"training images": x, "samples": y}
        picture = scattered(groups, {"training images": _plots.SOFT, "samples": _plots.ACCENT})
        caption = f"Features of {len(x):,} training images and {len(y):,} samples {told}."
        return Findings({"feature_embedding": (picture, caption)}, numbers)
