"""Classification: how many held-out images a model names right, beside the same classifier taught by labels alone."""

from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from genpipe.analyses._matrices import drawn
from genpipe.analyses._transferring import drawn_anew, missing, taught
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.classes import Classifies
from genpipe.interfaces.dataset_info import DatasetInfo
from genpipe.interfaces.extractors import FeatureSet
from genpipe.interfaces.tensors import Images
from genpipe.nn.batched_inference import passed
from genpipe.schema import Strict

Count = Annotated[int, Field(ge=1)]


class Classification(Analysis):
    """Accuracy on held-out images, and that of a classifier of the same layers that sees labeled images and no others.

    The latter is taught by the very images of which the model knows the label, from other weights for each seed.
    """

    class Config(Strict):
        steps: Count = 500
        """Of the classifier that is taught by labels alone."""
        seeds: Count = 5

    requires = (Classifies,)

    def unmet_requirement(self, info: DatasetInfo) -> str | None:
        return missing(info)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        training, held_out = context.real.training, context.real.held_out
        if training.labels is None or held_out.labels is None:
            raise Unsuitable("classification needs labels; take labeled data, or take it out.")
        model, truth = context.model, np.asarray(held_out.labels)
        assert isinstance(model, Classifies)
        guesses = passed(held_out.images, lambda x: model.classify(x).argmax(1), context.model.device)
        labeled = known_images(training)
        accuracy = share_right(guesses, truth)
        alone = [self._alone(context, labeled, k) for k in range(self.config.seeds)]
        told = (
            "Of the held-out images of each class (row), the share that is taken for each; "
            f"{accuracy:.1%} are named right. The same classifier taught by the {len(labeled):,} known labels alone "
            f"names {np.mean(alone):.1%} right ({self.config.seeds} seeds)."
        )
        shares = confusion(guesses, truth)
        numbers = {
            "classification_accuracy": accuracy,
            "labels_alone_accuracy": float(np.mean(alone)),
            "labels_alone_accuracy_std": float(np.std(alone)),
        }
        picture = drawn(shares, [str(label) for label in range(len(shares))], "taken for")
        return AnalysisResult({"classification": (picture, told)}, numbers)

    def _alone(self, context: AnalysisContext, labeled: Int[np.ndarray, "k"], number: int) -> float:
        """The share of held-out images that a classifier begun from other weights and taught by labels names right."""
        seed, training, held_out = context.seed + number, context.real.training, context.real.held_out
        images, labels = np.asarray(training.images[labeled]), np.asarray(training.labels)[labeled]
        with torch.random.fork_rng():
            torch.manual_seed(int(np.random.SeedSequence((seed, 1)).generate_state(1)[0]))  # unlike the training's
            classifier = taught(_Logits(drawn_anew(context.model)), images, labels, self.config.steps, seed)
        guesses = passed(held_out.images, lambda x: classifier(x).argmax(1), context.model.device)
        return share_right(guesses, np.asarray(held_out.labels))


class _Logits(nn.Module):
    """A model as its classifier alone."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Images) -> Float[Tensor, "b k"]:
        assert isinstance(self.model, Classifies)
        return self.model.class_logits(x)


def known_images(training: FeatureSet) -> Int[np.ndarray, "k"]:
    """The numbers of the images of which the label is known: all, if nothing else is said."""
    known = training.label_known
    return np.arange(len(training.images)) if known is None else np.flatnonzero(known)


def share_right(guesses: Int[np.ndarray, "n"], truth: Int[np.ndarray, "n"]) -> float:
    """How many are right, from 0 to 1."""
    return float((guesses == truth).mean())


def confusion(guesses: Int[np.ndarray, "n"], truth: Int[np.ndarray, "n"]) -> Float[np.ndarray, "k k"]:
    """The share of the images of each class (row) that is taken for each (column); a class without images has zeros."""
    from sklearn.metrics import confusion_matrix  # only for evaluation

    labels = range(int(max(guesses.max(), truth.max())) + 1)
    return np.asarray(confusion_matrix(truth, guesses, labels=labels, normalize="true"))
