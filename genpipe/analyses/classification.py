"""Classification: how many held-out images a system names right, beside the same classifier taught by labels alone."""

from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from genpipe.analyses._matrices import drawn
from genpipe.analyses._passing import passed
from genpipe.analyses._transferring import balanced, drawn_anew, taught
from genpipe.errors import Unsuitable
from genpipe.interfaces import Analysis, Classifies, Findings, Images, Subject
from genpipe.schema import Strict

Count = Annotated[int, Field(ge=1)]


class Classification(Analysis):
    """Accuracy on held-out images, and that of a classifier of the same layers that sees labelled images and no others.

    The latter is taught by as many labels, drawn anew for each seed, of all classes alike.
    """

    class Config(Strict):
        labels: Count = 100
        """As many as the system knows."""
        steps: Count = 500
        """Of the classifier that is taught by labels alone."""
        seeds: Count = 5

    requires = (Classifies,)

    def run(self, subject: Subject) -> Findings:
        training, held_out = subject.real.training, subject.real.held_out
        if training.labels is None or held_out.labels is None or len(training.labels) < self.config.labels:
            raise Unsuitable(
                f"classification needs {self.config.labels:,} labelled training images, and held-out ones with labels; "
                "ask for fewer `labels`, take labelled data, or take it out."
            )
        model, truth = subject.model, np.asarray(held_out.labels)
        assert isinstance(model, Classifies)
        guesses = passed(held_out.images, lambda x: model.classify(x).argmax(1), subject.model.device)
        accuracy, alone = share_right(guesses, truth), [self._alone(subject, k) for k in range(self.config.seeds)]
        told = (
            "Of the held-out images of each class (row), the share that is taken for each; "
            f"{accuracy:.1%} are named right. The same classifier taught by {self.config.labels:,} labels alone names "
            f"{np.mean(alone):.1%} right ({self.config.seeds} seeds)."
        )
        shares = confusion(guesses, truth)
        numbers = {
            "classification_accuracy": accuracy,
            "labels_alone_accuracy": float(np.mean(alone)),
            "labels_alone_accuracy_std": float(np.std(alone)),
        }
        picture = drawn(shares, [str(label) for label in range(len(shares))], "taken for")
        return Findings({"classification": (picture, told)}, numbers)

    def _alone(self, subject: Subject, number: int) -> float:
        """The share of held-out images that a classifier begun from other weights and taught by labels names right."""
        seed, training, held_out = subject.seed + number, subject.real.training, subject.real.held_out
        labels = np.asarray(training.labels)
        some = balanced(labels, self.config.labels, seed)
        with torch.random.fork_rng():
            torch.manual_seed(int(np.random.SeedSequence((seed, 1)).generate_state(1)[0]))  # unlike the training's
            classifier = _Logits(drawn_anew(subject.model))
            taught(classifier, np.asarray(training.images[some]), labels[some], self.config.steps, seed)
        guesses = passed(held_out.images, lambda x: classifier(x).argmax(1), subject.model.device)
        return share_right(guesses, np.asarray(held_out.labels))


class _Logits(nn.Module):
    """A system as its classifier alone."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Images) -> Float[Tensor, "b k"]:
        assert isinstance(self.model, Classifies)
        return self.model.class_logits(x)


def share_right(guesses: Int[np.ndarray, "n"], truth: Int[np.ndarray, "n"]) -> float:
    """How many are right, from 0 to 1."""
    return float((guesses == truth).mean())


def confusion(guesses: Int[np.ndarray, "n"], truth: Int[np.ndarray, "n"]) -> Float[np.ndarray, "k k"]:
    """The share of the images of each class (row) that is taken for each (column); a class without images has zeros."""
    k = int(max(guesses.max(), truth.max())) + 1
    counts = np.zeros((k, k))
    np.add.at(counts, (truth, guesses), 1)
    return counts / np.maximum(1, counts.sum(1, keepdims=True))
