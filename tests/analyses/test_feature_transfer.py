from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from genpipe.analyses._transferring import CodeClassifier, balanced, drawn_anew, taught
from genpipe.analyses.feature_transfer import FeatureTransfer
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import AnalysisContext
from genpipe.interfaces.extractors import Real
from genpipe.interfaces.generative import Encodes, Generative
from genpipe.interfaces.tensors import Codes, Images


class Corner(Generative, Encodes):
    """Its code is a linear function of the image; when made, that is the upper left pixel."""

    class Config: ...

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.encoder = nn.Linear(64, 1, bias=False)
        self.decoder = nn.Linear(1, 64)
        with torch.no_grad():
            self.encoder.weight.copy_(torch.eye(64)[:1])

    def phases(self) -> list:
        return []

    def encode(self, x: Images) -> Codes:
        return self.encoder(x.flatten(1))


def bright_corners(make: Any, n: int = 400) -> AnalysisContext:
    """The class is whether the upper left pixel is bright; all others are noise."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, 1, 8, 8), dtype=np.uint8)
    labels = (images[:, 0, 0, 0] >= 128).astype(np.int64)
    made = make(images[:5], images[: n // 2], images[n // 2 :])
    half = replace(made.real.training, labels=labels[: n // 2]), replace(made.real.held_out, labels=labels[n // 2 :])
    return AnalysisContext(Corner(), made.samples, Real(*half), 0)


def test_an_encoder_that_sees_what_matters_needs_few_labels(make: Any) -> None:
    context = bright_corners(make)
    before = {name: weight.clone() for name, weight in context.model.state_dict().items()}
    state = torch.get_rng_state()
    knobs = FeatureTransfer.Config(labels=[10, 100], steps=100, seeds=2)
    found = FeatureTransfer(knobs).run(context)
    assert list(found.numbers) == [f"{way}_accuracy_{n}" for way in ("transfer", "scratch") for n in (10, 100)]
    gains = [found.numbers[f"transfer_accuracy_{n}"] - found.numbers[f"scratch_accuracy_{n}"] for n in (10, 100)]
    assert min(gains) > 0.15
    assert found.numbers["transfer_accuracy_10"] < found.numbers["transfer_accuracy_100"]
    assert found.pictures["feature_transfer"][0].shape == (640, 960, 3)
    assert FeatureTransfer(knobs).run(context).numbers == found.numbers
    assert all(torch.equal(weight, before[name]) for name, weight in context.model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_too_few_labels_are_told(make: Any) -> None:
    with pytest.raises(Unsuitable, match="1,000 labeled training images, and this data set has 200"):
        FeatureTransfer(FeatureTransfer.Config()).run(bright_corners(make))


def test_weights_are_drawn_anew_in_a_copy(make: Any) -> None:
    model = Corner()
    fresh = drawn_anew(model)
    assert not torch.equal(fresh.encoder.weight, model.encoder.weight)
    assert fresh.encoder.weight.abs().max() <= 64**-0.5, "as a linear layer is made"
    model.odd = nn.Parameter(torch.ones(2, 2))
    with pytest.raises(Unsuitable, match="odd cannot be drawn anew"):
        drawn_anew(model)


def test_labels_are_of_all_classes_alike() -> None:
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [5, 50, 100]))
    for count, expected in ((3, [1, 1, 1]), (10, [4, 3, 3]), (21, [5, 8, 8]), (155, [5, 50, 100])):
        some = balanced(labels, count, 0)
        assert len(set(some)) == count
        found = np.bincount(labels[some], minlength=3)
        assert sorted(found) == sorted(expected)
    assert set(balanced(labels, 10, 0)) <= set(balanced(labels, 20, 0))
    assert set(balanced(labels, 10, 0)) != set(balanced(labels, 10, 1))


def test_only_what_decides_the_answer_moves() -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 1, 8, 8), dtype=np.uint8)
    model = Corner()
    taught(CodeClassifier(model, 1, 2), images, np.arange(20) % 2, steps=2, seed=0)
    assert not torch.equal(model.encoder.weight, torch.eye(64)[:1])
    assert model.decoder.weight.grad is None
