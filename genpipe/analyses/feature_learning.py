"""Feature learning: what a discriminator has learned to see, without labels, as the input of a linear classifier."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d

from genpipe import plotting
from genpipe.analyses._linear import Rows, validated
from genpipe.analyses._patches import dictionary
from genpipe.analyses._transferring import balanced, missing
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import Counts, DatasetInfo
from genpipe.interfaces.features import HasFeatures
from genpipe.interfaces.tensors import Images
from genpipe.nn.batched_inference import Pixels, passed
from genpipe.schema import Strict

Count = Annotated[int, Field(ge=1)]
COLORS = {"learned": plotting.ACCENT, "kmeans": plotting.WARM, "pixels": plotting.SOFT}
NAMED = {"learned": "features learned", "kmeans": "k-means of patches", "pixels": "pixels"}


class FeatureLearning(Analysis):
    """Accuracy on held-out images of an L2-SVM on the features of all layers, on k-means features and on pixels.

    Maps are max-pooled to a grid (Radford et al. 2016, arXiv:1511.06434, section 5.1). Each SVM learns from all
    labeled images and from few of each class; how much errors count is decided on every fifth of its images.
    """

    class Config(Strict):
        labels_a_class: list[Count] = [400]
        """Besides all."""
        images: Count = 10_000
        """Training images at most."""
        seeds: Count = 3
        """Choices of the few labeled images."""
        grid: Count = 4
        """Side of what maps are pooled to."""
        kmeans_features: Annotated[int, Field(ge=2)] = 256
        patch_pixels: Annotated[int, Field(ge=2)] = 6
        """Side of the patches of k-means."""
        error_weights: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)] = [1e-4, 1e-3, 1e-2]
        """Tried for C of the SVM, whose features are standardized."""

    requires = (HasFeatures,)

    @property
    def least_images(self) -> Counts:
        return Counts(training=2)

    def unmet_requirement(self, info: DatasetInfo) -> str | None:
        side, height, width = self.config.patch_pixels, info.spec.height, info.spec.width
        if side > min(height, width):
            return (
                f"patch_pixels is {side}, and the images have {height}×{width} pixels; make it smaller, or remove it."
            )
        return missing(info)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        training, held_out = context.real.training, context.real.held_out
        if training.labels is None or held_out.labels is None:
            raise Unsuitable("feature_learning needs labels; take labeled data, or take it out.")
        labels, truth = np.asarray(training.labels), np.asarray(held_out.labels)
        taught = balanced(labels, self.config.images, context.seed)
        images, labels = np.asarray(training.images[taught]), labels[taught]
        found: dict[str, dict[int, list[float]]] = {}
        for way, see in self._ways(context, images).items():
            rows, seen = see(images), see(np.asarray(held_out.images))
            found[way] = {
                count: [
                    validated(rows[some], labels[some], self.config.error_weights, context.model.device)
                    .accuracy(seen, truth)
                    for some in chosen
                ]
                for count, chosen in self._chosen(labels, context.seed).items()
            }  # fmt: skip
        return self._findings(found, len(images), len(np.unique(labels)))

    def _ways(self, context: AnalysisContext, images: Pixels) -> Mapping[str, Callable[[Pixels], Rows]]:
        """How images become rows of features."""
        model, device = context.model, context.model.device
        assert isinstance(model, HasFeatures)
        see: Callable[[Images], list[Tensor]] = model.features
        means = dictionary(images, self.config.patch_pixels, self.config.kmeans_features, context.seed, device)
        return {
            "learned": lambda given: passed(given, lambda x: self._pooled(see(x)), device),
            "kmeans": lambda given: means.features(given, device),
            "pixels": lambda given: passed(given, lambda x: x.flatten(1), device),
        }

    def _pooled(self, layers: list[Tensor]) -> Float[Tensor, "b d"]:
        grid = self.config.grid
        return torch.cat([_within(layer, grid).flatten(1) for layer in layers], dim=1)

    def _chosen(self, labels: np.ndarray, seed: int) -> Mapping[int, list[np.ndarray]]:
        """By how many images they are, those that are labeled: few of each class, more than once, and all."""
        classes = len(np.unique(labels))
        few = {
            count * classes: [balanced(labels, count * classes, seed + k) for k in range(self.config.seeds)]
            for count in sorted(self.config.labels_a_class)
            if count * classes < len(labels)
        }
        return {**few, len(labels): [np.random.default_rng(seed).permutation(len(labels))]}

    def _findings(self, found: Mapping[str, Mapping[int, list[float]]], images: int, classes: int) -> AnalysisResult:
        means = {way: {count: float(np.mean(each)) for count, each in of.items()} for way, of in found.items()}
        numbers = {
            f"svm_accuracy_{way}" + ("" if count == images else f"_{count // classes}_a_class"): mean
            for way, of in means.items()
            for count, mean in of.items()
        }
        shares = ", ".join(f"{means[way][images]:.1%} on {name}" for way, name in NAMED.items())
        told = f"Of held-out images an L2-SVM taught by {images:,} labels names right {shares}."
        return AnalysisResult(
            {"feature_learning": (plotting.drawn(480, 320, lambda figure: _draw(figure, found)), told)}, numbers
        )


def _within(layer: Tensor, grid: int) -> Tensor:
    """Maps no larger than a grid, rows as they are."""
    if layer.ndim == 2:
        return layer
    return adaptive_max_pool2d(layer, (min(grid, layer.shape[2]), min(grid, layer.shape[3])))


def _draw(figure: Any, found: Mapping[str, Mapping[int, list[float]]]) -> None:
    axes = plotting.panel(figure, x="labels", y="accuracy")
    for way, of in found.items():
        counts = list(of)
        axes.plot(
            counts, [np.mean(each) for each in of.values()], "o-", color=COLORS[way], label=NAMED[way], markersize=3.5
        )
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.minorticks_off()
    axes.legend(loc="lower right")
