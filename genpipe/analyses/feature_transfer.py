"""Feature transfer: an encoder as the beginning of a classifier, where few labels are known."""

import copy
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field

from genpipe import plotting
from genpipe.analyses._transferring import CodeClassifier, balanced, drawn_anew, missing, taught
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import Counts, DatasetInfo
from genpipe.interfaces.generative import Encodes
from genpipe.nn.batched_inference import passed
from genpipe.schema import Strict

Count = Annotated[int, Field(ge=1)]
Accuracies = Mapping[int, Sequence[float]]
"""Of each number of labels, one for each seed."""
BEGINNINGS = {"transfer": "from the encoder", "scratch": "from scratch"}


class FeatureTransfer(Analysis):
    """Accuracy on held-out images of a classifier that begins with the encoder, and of the same one from scratch.

    The decoder is dropped, a linear layer put on the code, and everything trained (Vincent et al. 2010, section 6).
    Both learn from the same labeled images in the same order.
    """

    class Config(Strict):
        labels: Annotated[list[Count], Field(min_length=1)] = [10, 100, 1000]
        steps: Count = 200
        seeds: Count = 3

    requires = (Encodes,)
    lowered = {"labels": [2]}

    @property
    def least_images(self) -> Counts:
        return Counts(training=max(2, *self.config.labels))

    def unmet_requirement(self, info: DatasetInfo) -> str | None:
        return missing(info)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        known = context.real.training.labels
        if known is None or context.real.held_out.labels is None or len(known) < max(self.config.labels):
            raise Unsuitable(
                f"feature_transfer needs {max(self.config.labels):,} labeled training images, and this data set has "
                f"{0 if known is None else len(known):,}. Ask for fewer `labels`, or take it out."
            )
        found: dict[str, dict[int, list[float]]] = {way: {} for way in BEGINNINGS}
        for count in self.config.labels:
            for way, of_way in found.items():
                of_way[count] = [self._accuracy(context, way, count, k) for k in range(self.config.seeds)]
        numbers = {
            f"{way}_accuracy_{count}": float(np.mean(accuracies))
            for way, of_way in found.items()
            for count, accuracies in of_way.items()
        }
        drawing = plotting.drawn(480, 320, lambda figure: _draw(figure, found))
        told = f"Accuracy on held-out images by the number of labels; each dot is one of {self.config.seeds} seeds."
        return AnalysisResult({"feature_transfer": (drawing, told)}, numbers)

    def _accuracy(self, context: AnalysisContext, way: str, count: int, number: int) -> float:
        """The share of the held-out images that a classifier, begun in this way, labels right."""
        seed = context.seed + number
        training, held_out = context.real.training, context.real.held_out
        assert training.labels is not None
        assert held_out.labels is not None
        some = balanced(np.asarray(training.labels), count, seed)
        classes = int(max(training.labels.max(), held_out.labels.max())) + 1
        with torch.random.fork_rng():
            torch.manual_seed(int(np.random.SeedSequence((seed, 1)).generate_state(1)[0]))  # unlike the training's
            classifier = _begun(context, way, classes)
            taught(classifier, np.asarray(training.images[some]), training.labels[some], self.config.steps, seed)
        guesses = passed(held_out.images, lambda x: classifier(x).argmax(1), context.model.device)
        return float((guesses == held_out.labels).mean())


def _begun(context: AnalysisContext, way: str, classes: int) -> CodeClassifier:
    assert isinstance(context.model, Encodes)
    code = passed(context.real.held_out.images[:1], context.model.encode, context.model.device)
    begun = drawn_anew(context.model) if way == "scratch" else copy.deepcopy(context.model)
    return CodeClassifier(begun, code.shape[1], classes).to(context.model.device)


def _draw(figure: Any, found: Mapping[str, Accuracies]) -> None:
    axes = plotting.panel(figure, x="labels", y="accuracy")
    for (way, of_way), color in zip(found.items(), (plotting.ACCENT, plotting.WARM), strict=True):
        counts = list(of_way)
        axes.plot(counts, [np.mean(of_way[count]) for count in counts], color=color, label=BEGINNINGS[way])
        for count in counts:
            axes.plot([count] * len(of_way[count]), of_way[count], "o", color=color, markersize=3.5)
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.minorticks_off()
    axes.set_ylim(0, 1)
    axes.legend(loc="lower right")
