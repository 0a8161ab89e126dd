"""Analyses and scores of a model whose answers are known."""

import numpy as np
import pytest
import torch
from torch import nn

from genpipe import registry
from genpipe.config.training import Optim, Train
from genpipe.dataset.batches import BatchLoader
from genpipe.errors import Unsuitable
from genpipe.evaluation.scoring import View, scorer_of
from genpipe.extractors.classifier import Classifier
from genpipe.interfaces.analyses import AnalysisContext
from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.generative import Generative, Reconstructs
from genpipe.interfaces.spec import DataSpec
from genpipe.metrics.psnr import PSNR
from genpipe.nn.image_grid import grid
from genpipe.training.devices import fabric
from genpipe.training.loop import fit


class Darker(Generative, Reconstructs):
    """Reconstructs an image ten levels darker."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.weight = nn.Parameter(torch.zeros(1))

    def phases(self) -> list:
        return []

    def reconstruct(self, x: torch.Tensor) -> torch.Tensor:
        return x - 20 / 255


@pytest.fixture
def context() -> AnalysisContext:
    rng = np.random.default_rng(0)
    held_out, training = (rng.integers(10, 256, (30, 1, 4, 4), dtype=np.uint8) for _ in range(2))
    samples = training[::-1][:20].copy()

    def evidence(images: np.ndarray) -> FeatureSet:
        return FeatureSet(
            images, images.reshape(len(images), -1).astype(np.float32)[:, :3], np.ones((len(images), 1), "f")
        )

    return AnalysisContext(Darker(), evidence(samples), Real(evidence(training), evidence(held_out)), seed=0)


def analyzed(name: str, context: AnalysisContext, **knobs: int):
    kind = registry.load("analyses", name)
    return kind(kind.Config(**knobs)).run(context)


def test_reconstruction_shows_pairs_and_measures_all_held_out_images(context: AnalysisContext) -> None:
    found = analyzed("reconstruction", context, images=3)
    assert found.numbers["reconstruction_squared_error"] == pytest.approx(16 * (20 / 255) ** 2)
    picture = found.pictures["reconstruction"][0].astype(int)
    assert (picture[2:6, 2:6, 0] == context.real.held_out.images[0, 0]).all()
    assert (picture[8:12, 2:6, 0] == context.real.held_out.images[0, 0].astype(int) - 10).all()


def test_neighbors_of_copies_are_their_originals(context: AnalysisContext) -> None:
    picture = analyzed("nearest_neighbors", context, images=5).pictures["nearest_neighbors"][0]
    rows = [picture[top : top + 4] for top in (2, 8, 14)]
    assert (rows[0] == rows[1]).all()
    assert (rows[0] == rows[2]).all()


def test_the_sample_grid_shows_the_first_samples(context: AnalysisContext) -> None:
    picture = analyzed("sample_grid", context, rows=2).pictures["sample_grid"][0]
    assert picture.shape == (14, 14, 1)
    assert (picture[8:12, 8:12, 0] == context.samples.images[3, 0]).all()


def test_a_grid_with_a_short_last_row() -> None:
    images = np.full((3, 3, 2, 2), 7, np.uint8)
    picture = grid(images, 2, gap_pixels=1)
    assert picture.shape == (7, 7, 3)
    assert (picture[4:6, 4:6] == 128).all()
    assert (picture == 7).sum() == 3 * 4 * 3


def test_the_classifier_learns_classes_that_can_be_told_apart_and_extracts_in_order() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    images = rng.integers(0, 100, (200, 1, 8, 8), dtype=np.uint8)
    images[labels == 1, :, 2:6, 2:6] += 150
    torch.manual_seed(0)
    net = Classifier(Classifier.Config(channels=[4], features=8, shift_pixels=1), DataSpec(1, 8, 8, ("off", "on")))
    device = fabric("32-true")
    batches = BatchLoader(images, labels, size=50, seed=0, device=device.device)
    fit(net, batches, Train(steps=60, batch_size=50), {"classifier": Optim(lr=0.01)}, device=device)
    seen = net.extract(images)
    assert (seen.probabilities.argmax(1) == labels).mean() > 0.98
    np.testing.assert_allclose(seen.probabilities.sum(1), 1, atol=1e-5)
    assert seen.features.shape == (200, 8)
    np.testing.assert_allclose(net.extract(images[7:9]).features, seen.features[7:9], rtol=1e-4, atol=1e-5)


def test_a_shift_moves_images_by_at_most_so_many_pixels() -> None:
    net = Classifier(Classifier.Config(shift_pixels=2), DataSpec(1, 8, 8, ("a", "b")))
    x = torch.full((64, 1, 8, 8), -1.0)
    x[:, :, 4, 4] = 1.0
    moved = net._shifted(x)
    places = (moved[:, 0] == 1).nonzero()
    assert len(places) == 64, "one bright pixel in each image still"
    assert places[:, 1:].min() == 2
    assert places[:, 1:].max() == 6


def test_data_without_labels_is_refused() -> None:
    with pytest.raises(Unsuitable, match="needs labeled training images"):
        Classifier(Classifier.Config(), DataSpec(1, 8, 8))


def gray(*levels: int) -> FeatureSet:
    images = np.repeat(np.array(levels, np.uint8), 16).reshape(-1, 1, 4, 4)
    return FeatureSet(images, images.reshape(len(images), -1).astype(np.float32))


def test_further_images_take_the_place_of_samples_in_pairs() -> None:
    """The first is 51 levels off, the second right: half of 51² on average."""
    truth, samples = gray(0, 100, 200), gray(9, 109, 209)
    view = View("pixels", {}, Real(truth, truth), samples, None, (samples, truth))
    found = scorer_of({"psnr": PSNR.Config()}, view, 0)(gray(51, 100), ["psnr"])
    assert found["psnr_pixels"] == pytest.approx(10 * np.log10(255**2 / (51**2 / 2)))


def test_further_images_are_no_reconstructions() -> None:
    truth, rebuilt = gray(0, 100, 200), gray(51, 151, 251)
    view = View("pixels", {}, Real(truth, truth), gray(9, 109), None, (rebuilt, truth))
    found = scorer_of({"psnr": PSNR.Config()}, view, 0)(gray(0, 100), ["psnr"])
    assert found["psnr_pixels"] == pytest.approx(10 * np.log10(25))
