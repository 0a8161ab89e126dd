"""Anomaly detection: whether images of a class that was left out of the training are reconstructed worse."""

from typing import Annotated, Any

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field

from genpipe.analyses import _plots
from genpipe.analyses._passing import rebuilt, squared_errors
from genpipe.errors import Unsuitable
from genpipe.interfaces import Analysis, Evidence, Findings, Reconstructs, Subject
from genpipe.nn.pictures import grid
from genpipe.schema import Strict


class AnomalyDetection(Analysis):
    """The squared error of reconstruction as a score of how unusual an image is (Hawkins et al. 2002).

    Outliers are the held-out images of the classes that no training image has: give the data set `leave_out`.
    """

    class Config(Strict):
        images: Annotated[int, Field(ge=1, le=64)] = 10

    requires = (Reconstructs,)

    def run(self, subject: Subject) -> Findings:
        held_out = subject.real.held_out
        outlier = outliers(held_out, subject.real.training)
        images = np.asarray(held_out.images)
        approximations = rebuilt(subject.model, images)
        scores = squared_errors(images, approximations)
        area = auroc(scores, outlier)
        counted = f"{outlier.sum():,} held-out images of classes that were left out of the training"
        drawing = _plots.drawn(480, 320, lambda figure: _draw(figure, scores, outlier))
        told = f"Squared errors of reconstruction of {counted}, and of {(~outlier).sum():,} others. AUROC {area:.3f}."
        most = np.argsort(-scores, kind="stable")[: self.config.images]
        pairs = grid(np.concatenate([images[most], approximations[most]]), len(most))
        worst = f"The {len(most)} held-out images with the largest errors, their reconstructions below; "
        worst += f"{outlier[most].sum()} of them are of classes that were left out."
        pictures = {"anomaly_detection": (drawing, told), "anomalies": (pairs, worst)}
        return Findings(pictures, {"anomaly_auroc": area})


def outliers(held_out: Evidence, training: Evidence) -> Bool[np.ndarray, "n"]:
    """Which held-out images are of classes that no training image has. Raises Unsuitable if none, or all, are."""
    known = held_out.labels is not None and training.labels is not None
    found = ~np.isin(held_out.labels, training.labels) if known else np.zeros(len(held_out.images), bool)  # type: ignore
    if found.all() or not found.any():
        raise Unsuitable(
            "anomaly_detection needs held-out images of a class that no training image has, and of others. "
            "Give the data set `leave_out: [class]`, or take the analysis out."
        )
    return found


def auroc(scores: Float[np.ndarray, "n"], positive: Bool[np.ndarray, "n"]) -> float:
    """The probability that a positive has a larger score than a negative, a tie counted half; 0.5 is chance.

    It is the area under the receiver's characteristic, as Mann and Whitney's U (Hanley & McNeil 1982).
    """
    negatives, positives = np.sort(scores[~positive]), scores[positive]
    below = np.searchsorted(negatives, positives, "left") + np.searchsorted(negatives, positives, "right")
    return float(below.mean() / (2 * len(negatives)))


def _draw(figure: Any, scores: Float[np.ndarray, "n"], outlier: Bool[np.ndarray, "n"]) -> None:
    axes = _plots.panel(figure, x="squared error", y="share of the images")
    edges = np.linspace(0, np.quantile(scores, 0.995), 41)
    groups = ((~outlier, _plots.SOFT, "classes trained on"), (outlier, _plots.WARM, "classes left out"))
    for some, colour, label in groups:
        weights = np.full(some.sum(), 1 / some.sum())
        axes.hist(np.minimum(scores[some], edges[-1]), edges, weights=weights, color=colour, alpha=0.6, label=label)
    axes.legend()
