from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from genpipe.analyses.classification import Classification, confusion, known_images
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import AnalysisContext
from genpipe.interfaces.classes import Classifies
from genpipe.interfaces.extractors import Real
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.tensors import Images


class Corner(Generative, Classifies):
    """Says class 1 where the upper left pixel is bright."""

    class Config: ...

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.classifier = nn.Linear(64, 2)
        with torch.no_grad():
            self.classifier.bias.zero_()
            self.classifier.weight.copy_(torch.stack([-torch.eye(64)[0], torch.eye(64)[0]]))

    def phases(self) -> list:
        return []

    def class_logits(self, x: Images) -> torch.Tensor:
        return self.classifier(x.flatten(1))


def bright_corners(make: Any, n: int = 400) -> AnalysisContext:
    """The class is whether the upper left pixel is bright, but for every tenth held-out image; all others are noise."""
    images = np.random.default_rng(0).integers(0, 256, (n, 1, 8, 8), dtype=np.uint8)
    labels = (images[:, 0, 0, 0] >= 128).astype(np.int64)
    labels[n // 2 :: 10] = 1 - labels[n // 2 :: 10]
    made = make(images[:5], images[: n // 2], images[n // 2 :])
    known = np.isin(np.arange(n // 2), np.random.default_rng(1).permutation(n // 2)[:10])
    training = replace(made.real.training, labels=labels[: n // 2], label_known=known)
    return AnalysisContext(
        Corner(), made.samples, Real(training, replace(made.real.held_out, labels=labels[n // 2 :])), 0
    )


def test_a_classifier_is_read_out_and_stands_beside_one_of_few_labels(make: Any) -> None:
    context, state = bright_corners(make), torch.get_rng_state()
    before = {name: weight.clone() for name, weight in context.model.state_dict().items()}
    analysis = Classification(Classification.Config(steps=50, seeds=3))
    found = analysis.run(context)
    assert found.numbers["classification_accuracy"] == 0.9
    assert 0.4 < found.numbers["labels_alone_accuracy"] < 0.8
    assert found.numbers["labels_alone_accuracy_std"] > 0
    assert found.pictures["classification"][0].ndim == 3
    assert "taught by the 10 known labels alone" in found.pictures["classification"][1]
    assert analysis.run(context).numbers == found.numbers
    assert all(torch.equal(weight, before[name]) for name, weight in context.model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_what_is_taken_for_what() -> None:
    guesses, truth = np.array([0, 1, 1, 2, 2]), np.array([0, 0, 1, 1, 1])
    np.testing.assert_allclose(confusion(guesses, truth), [[0.5, 0.5, 0], [0, 1 / 3, 2 / 3], [0, 0, 0]])


def test_no_label_but_the_known_ones_teaches_the_classifier_beside_it(make: Any) -> None:
    context = bright_corners(make)
    training = context.real.training
    hidden = np.where(training.label_known, training.labels, 1 - training.labels)
    other = replace(context, real=replace(context.real, training=replace(training, labels=hidden)))
    analysis = Classification(Classification.Config(steps=20, seeds=2))
    assert analysis.run(other).numbers == analysis.run(context).numbers


def test_where_all_labels_are_known_all_teach(make: Any) -> None:
    training = bright_corners(make).real.training
    assert known_images(training).tolist() == np.flatnonzero(training.label_known).tolist()
    assert len(known_images(replace(training, label_known=None))) == len(training.images)
    assert training.part(slice(0, 50)).label_known.tolist() == training.label_known[:50].tolist()


def test_without_labels_there_is_nothing_to_teach(make: Any) -> None:
    context = bright_corners(make)
    real = replace(context.real, training=replace(context.real.training, labels=None))
    with pytest.raises(Unsuitable, match="classification needs labels"):
        Classification(Classification.Config()).run(replace(context, real=real))
