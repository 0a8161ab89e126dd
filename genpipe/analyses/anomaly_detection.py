"""Anomaly detection: whether images of a class that was left out of the training are told by error or likelihood."""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from pydantic import Field
from torch import Tensor

from genpipe import plotting
from genpipe.analyses._errors import squared_errors
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import DatasetInfo
from genpipe.interfaces.extractors import FeatureSet
from genpipe.interfaces.generative import Reconstructs
from genpipe.interfaces.likelihood import HasImportanceWeights, HasLikelihood
from genpipe.interfaces.tensors import Images
from genpipe.nn.batched_inference import passed, rebuilt
from genpipe.nn.image_grid import grid
from genpipe.schema import Strict

_AXES = {"": "squared error", "_likelihood": "negative bound in nats"}
"""What each score is, by the end of its figure's name."""
_NOTHING_LEFT_OUT = (
    "anomaly_detection needs held-out images of a class that no training image has, and of others. "
    "Give the data set `exclude_classes: [class]`, or take the analysis out."
)


class AnomalyDetection(Analysis):
    """Scores of how unusual an image is: its squared error of reconstruction (Hawkins et al. 2002), and −log p(x).

    The latter, of a model with a likelihood, is the negative evidence lower bound where codes are drawn for an image.
    Outliers are the held-out images of the classes that no training image has: give the data set `exclude_classes`.
    """

    class Config(Strict):
        images: Annotated[int, Field(ge=1, le=64)] = 10
        draws: Annotated[int, Field(ge=1, le=1_000_000)] = 10
        """Codes for each image, over which its evidence lower bound is averaged."""

    requires = (Reconstructs,)
    sees_all = True

    def unmet_requirement(self, info: DatasetInfo) -> str | None:
        return None if info.spec.untrained else _NOTHING_LEFT_OUT

    def run(self, context: AnalysisContext) -> AnalysisResult:
        held_out = context.real.held_out
        outlier, images = outliers(held_out, context.real.training), np.asarray(held_out.images)
        approximations = rebuilt(context.model, images)
        scores = {"": squared_errors(images, approximations)}
        if isinstance(context.model, HasLikelihood):
            scores["_likelihood"] = self._nats(context, images)
        areas = {by: auroc(values, outlier) for by, values in scores.items()}
        counted = f"{outlier.sum():,} held-out images of classes that were left out of the training"
        drawing = plotting.drawn(480 * len(scores), 320, lambda figure: _draw(figure, scores, outlier))
        measured = " and ".join(f"{_AXES[by]}: AUROC {area:.3f}" for by, area in areas.items())
        told = f"Scores of {counted}, and of {(~outlier).sum():,} others. By {measured}."
        most = np.argsort(-scores[""], kind="stable")[: self.config.images]
        pairs = grid(np.concatenate([images[most], approximations[most]]), len(most))
        worst = f"The {len(most)} held-out images with the largest errors, their reconstructions below; "
        worst += f"{outlier[most].sum()} of them are of classes that were left out."
        pictures = {"anomaly_detection": (drawing, told), "anomalies": (pairs, worst)}
        return AnalysisResult(pictures, {f"anomaly_auroc{by}": area for by, area in areas.items()})

    def _nats(self, context: AnalysisContext, images: UInt8[np.ndarray, "n c h w"]) -> Float[np.ndarray, "n"]:
        model = context.model
        rng = torch.Generator(model.device).manual_seed(context.seed)
        return passed(images, lambda x: negative_elbo(model, x, self.config.draws, rng), model.device)


def negative_elbo(model: Any, x: Images, draws: int, rng: torch.Generator) -> Float[Tensor, " b"]:
    """The negative evidence lower bound in nats, the mean over so many codes; −log p(x), where there are no codes."""
    if isinstance(model, HasImportanceWeights):
        return -model.log_weights(x, draws, rng).double().mean(0)
    return -model.log_likelihood(x, draws, rng).double()


def outliers(held_out: FeatureSet, training: FeatureSet) -> Bool[np.ndarray, "n"]:
    """Which held-out images are of classes that no training image has. Raises Unsuitable if none, or all, are."""
    known = held_out.labels is not None and training.labels is not None
    found = ~np.isin(held_out.labels, training.labels) if known else np.zeros(len(held_out.images), bool)  # type: ignore
    if found.all() or not found.any():
        raise Unsuitable(_NOTHING_LEFT_OUT)
    return found


def auroc(scores: Float[np.ndarray, "n"], positive: Bool[np.ndarray, "n"]) -> float:
    """The probability that a positive has a larger score than a negative, a tie counted half; 0.5 is chance.

    It is the area under the receiver's characteristic, as Mann and Whitney's U (Hanley & McNeil 1982).
    """
    negatives, positives = np.sort(scores[~positive]), scores[positive]
    below = np.searchsorted(negatives, positives, "left") + np.searchsorted(negatives, positives, "right")
    return float(below.mean() / (2 * len(negatives)))


def _draw(figure: Any, scores: Mapping[str, Float[np.ndarray, "n"]], outlier: Bool[np.ndarray, "n"]) -> None:
    groups = ((~outlier, plotting.SOFT, "classes trained on"), (outlier, plotting.WARM, "classes left out"))
    for column, (by, values) in enumerate(scores.items(), 1):
        axes = plotting.panel(
            figure, 1, len(scores), column, x=_AXES[by], y="" if column > 1 else "share of the images"
        )
        edges = np.linspace(min(0, values.min()), np.quantile(values, 0.995), 41)
        for some, color, label in groups:
            weights = np.full(some.sum(), 1 / some.sum())
            shown = np.minimum(values[some], edges[-1])
            axes.hist(shown, edges, weights=weights, color=color, alpha=0.6, label=label)
    axes.legend()
