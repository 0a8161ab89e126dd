"""Precision against recall as neighborhoods grow (Kynkäänniemi et al. 2019, arXiv:1904.06991)."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field

from genpipe import plotting
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import Counts
from genpipe.nn.neighbors import nearest
from genpipe.schema import Strict

_BLOCK = 1000
_NAMED = 3
"""The k of the paper."""


class PrecisionRecallCurve(Analysis):
    """Improved precision and recall of samples for k = 1, 2, …, and of held-out images in their place.

    A set of images covers what lies within the distance from one of them to its k-th nearest neighbor in the set.
    Precision is the share of samples that the training images cover, recall that of training images that samples cover.
    """

    class Config(Strict):
        most_neighbors: Annotated[int, Field(ge=3, le=100)] = 10
        images: Annotated[int, Field(ge=10)] = 2000
        """At most so many of each kind; of all kinds equally many, for both figures depend on it."""

    lowered = {"most_neighbors": 3}

    @property
    def least_images(self) -> Counts:
        n = self.config.most_neighbors + 1
        return Counts(training=n, held_out=n, samples=n)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        rng = np.random.default_rng(context.seed)
        kinds = (context.real.training, context.samples, context.real.held_out)
        n, k = min(self.config.images, *(len(e.features) for e in kinds)), self.config.most_neighbors
        if n <= k:
            raise Unsuitable(f"precision_recall_curve: of {n} images none has {k} neighbors; set `most_neighbors`.")
        training, samples, held_out = (e.features[np.sort(rng.permutation(len(e.features))[:n])] for e in kinds)
        lines = [curve(training, samples, k), curve(training, held_out, k)]
        (p, r), (real_p, real_r) = (line[:, _NAMED - 1] for line in lines)
        picture = plotting.drawn(400, 400, lambda figure: _draw(figure, lines))
        caption = (
            f"Precision and recall of {n:,} samples as the neighborhood grows from k = 1 to {k}. At k = {_NAMED}: "
            f"{p:.2f} and {r:.2f}; held-out images in their place: {real_p:.2f} and {real_r:.2f}."
        )
        return AnalysisResult({"precision_recall_curve": (picture, caption)})


def curve(real: Float[np.ndarray, "n d"], fake: Float[np.ndarray, "m d"], most: int) -> Float[np.ndarray, "2 k"]:
    """Precision and recall for each k up to the most."""
    return np.stack([covered(fake, real, most), covered(real, fake, most)])


def covered(queries: Float[np.ndarray, "n d"], points: Float[np.ndarray, "m d"], most: int) -> Float[np.ndarray, "k"]:
    """The share of queries within the k-th neighbor's distance of any point, for each k up to the most."""
    p = torch.from_numpy(np.ascontiguousarray(points))
    radii = torch.from_numpy(nearest(points, points, most + 1)[0][:, 1:].T.copy())
    hit = torch.zeros(most, dtype=torch.long)
    for q in torch.from_numpy(np.ascontiguousarray(queries)).split(_BLOCK):
        distances = torch.cdist(q, p)
        hit += torch.stack([(distances <= r).any(1).sum() for r in radii])
    return hit.double().numpy() / len(queries)


def _draw(figure: Any, lines: Sequence[Float[np.ndarray, "2 k"]]) -> None:
    axes = plotting.panel(figure, x="recall", y="precision")
    axes.grid(axis="x", color=plotting.INK, alpha=0.15, linewidth=0.6)
    kinds = ((lines[0], plotting.ACCENT, "samples"), (lines[1], plotting.SOFT, "held-out images"))
    for (precision, recall), color, label in kinds:
        axes.plot(recall, precision, "o-", color=color, markersize=4.5, label=label)
    precision, recall = lines[0]
    for k, shift in ((1, (-18, 6)), (len(precision), (0, 8))):
        at = (recall[k - 1], precision[k - 1])
        axes.annotate(f"k = {k}", at, shift, textcoords="offset points", ha="center", fontsize=9)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.08)
    axes.set_aspect("equal")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=2)
