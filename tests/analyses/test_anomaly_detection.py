from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from genpipe.analyses.anomaly_detection import AnomalyDetection, auroc, negative_elbo, outliers
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import AnalysisContext
from genpipe.interfaces.extractors import Real
from genpipe.interfaces.generative import Generative, Reconstructs
from genpipe.interfaces.likelihood import HasImportanceWeights, HasLikelihood
from genpipe.interfaces.tensors import Images


class Darkener(Generative, Reconstructs):
    """Reconstructs dark images well and bright ones badly."""

    class Config: ...

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.register_buffer("here", torch.zeros(1))

    def phases(self) -> list:
        return []

    def reconstruct(self, x: Images) -> Images:
        return x.clamp(max=0)


@pytest.mark.parametrize("seed", range(5))
def test_the_area_is_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, positive = rng.integers(0, 12, 200).astype(float), rng.random(200) < 0.2
    scores[positive] += rng.integers(-2, 4)
    assert auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)


def test_the_area_of_known_cases() -> None:
    scores, positive = np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, False, True, True])
    assert [auroc(scores, positive), auroc(-scores, positive), auroc(0 * scores, positive)] == [1.0, 0.0, 0.5]


def bright_are_outliers(make: Any) -> AnalysisContext:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 3], 20)
    images = (rng.integers(0, 100, (60, 1, 8, 8)) + 120 * (labels == 3)[:, None, None, None]).astype(np.uint8)
    made = make(images, images[:40], images)
    real = Real(replace(made.real.training, labels=labels[:40]), replace(made.real.held_out, labels=labels))
    return AnalysisContext(Darkener(), made.samples, real, 0)


def test_classes_that_are_not_trained_on_are_told_from_the_others(make: Any) -> None:
    found = AnomalyDetection(AnomalyDetection.Config(images=6)).run(bright_are_outliers(make))
    assert found.numbers == {"anomaly_auroc": 1.0}
    assert "20 held-out images of classes that were left out" in found.pictures["anomaly_detection"][1]
    assert found.pictures["anomalies"][1].endswith("6 of them are of classes that were left out.")
    assert found.pictures["anomalies"][0].shape == (22, 62, 1)


def test_without_a_class_that_was_left_out_there_is_nothing_to_find(make: Any) -> None:
    context = bright_are_outliers(make)
    real = context.real
    assert outliers(real.held_out, real.training).sum() == 20
    for training, held_out in (
        (real.held_out, real.held_out),
        (replace(real.training, labels=None), real.held_out),
        (replace(real.training, labels=real.training.labels + 7), real.held_out),
    ):
        with pytest.raises(Unsuitable, match="exclude_classes"):
            outliers(held_out, training)


class Counter(Darkener, HasImportanceWeights):
    """Log weights about minus how many pixels are bright, twice as far above as below in every third draw."""

    likelihood_of = "density"

    def log_weights(self, x: Images, draws: int, rng: torch.Generator) -> torch.Tensor:
        bright = (x > 0).flatten(1).sum(1).float()
        return -bright + torch.tensor([2.0, -1.0, -1.0]).repeat(draws // 3)[:, None]


class Exact(Darkener, HasLikelihood):
    likelihood_of = "density"

    def log_likelihood(self, x: Images, draws: int, rng: torch.Generator) -> torch.Tensor:
        return -x.flatten(1).sum(1)


@pytest.mark.parametrize("model", [Counter(), Exact()], ids=["bound", "exact"])
def test_a_likelihood_is_a_score_of_its_own(make: Any, model: Generative) -> None:
    context = replace(bright_are_outliers(make), model=model)
    held_out = context.real.held_out
    noisy = np.random.default_rng(3).integers(0, 256, held_out.images.shape, dtype=np.uint8)
    context = replace(context, real=replace(context.real, held_out=replace(held_out, images=noisy)))
    found = AnomalyDetection(AnomalyDetection.Config(images=6, draws=6)).run(context)
    x, outlier = noisy.astype(np.float64) / 127.5 - 1, held_out.labels == 3
    nats = (noisy > 127).sum((1, 2, 3)) if isinstance(model, Counter) else x.sum((1, 2, 3))
    errors = np.square(x - np.rint((np.minimum(x, 0) + 1) * 127.5) / 127.5 + 1).sum((1, 2, 3))
    assert found.numbers == {
        "anomaly_auroc": pytest.approx(roc_auc_score(outlier, errors)),
        "anomaly_auroc_likelihood": pytest.approx(roc_auc_score(outlier, nats)),
    }
    assert "negative bound in nats: AUROC" in found.pictures["anomaly_detection"][1]


def test_the_bound_is_the_mean_over_draws() -> None:
    x, rng = torch.zeros(2, 1, 4, 4), torch.Generator()
    x[1] = 0.5
    torch.testing.assert_close(negative_elbo(Counter(), x, 6, rng), torch.tensor([0.0, 16.0], dtype=torch.float64))
