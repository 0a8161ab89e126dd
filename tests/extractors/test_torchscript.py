"""Networks of one's own."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from torch import Tensor, nn

from genpipe.errors import Unsuitable, WeightsMissing
from genpipe.extractors._weights import sha256

from .conftest import Build, Saved, noise, smooth


class Averages(nn.Module):
    """Features that a person can compute: the mean of each channel."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.mean((2, 3)), x.flatten(1)[:, :2]


class Convolution(nn.Module):
    """Wants three channels, and gives no rows."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


def test_features_are_what_the_network_gives_of_normalized_images(saved: Saved, build: Build) -> None:
    images = noise(5)
    mean, std = np.array([0.1, 0.2, 0.3]), np.array([0.5, 0.6, 0.7])
    extractor = build("torchscript", path=str(saved(Averages())), mean=mean.tolist(), std=std.tolist())
    seen = extractor.extract(images)
    np.testing.assert_allclose(seen.features, ((images / 255).mean((2, 3)) - mean) / std, rtol=1e-5)
    assert seen.probabilities is None


def test_a_pair_is_features_and_logits(saved: Saved, build: Build) -> None:
    images = noise(5)
    seen = build("torchscript", path=str(saved(Pair()))).extract(images)
    logits = images.reshape(5, -1)[:, :2] / 255
    assert seen.probabilities is not None
    np.testing.assert_allclose(seen.probabilities, np.exp(logits) / np.exp(logits).sum(1, keepdims=True), rtol=1e-5)


def test_images_are_resized_and_gray_ones_get_the_channels_that_are_wanted(saved: Saved, build: Build) -> None:
    path, gray = str(saved(Averages())), smooth(3, (1, 20, 20))
    seen = build("torchscript", (1, 20, 20), path=path, input_size=64).extract(gray)
    assert seen.features.shape == (3, 3)
    np.testing.assert_allclose(seen.features, np.repeat(gray.mean((2, 3)) / 255, 3, axis=1), atol=0.02)
    assert build("torchscript", (1, 20, 20), path=path, channels=1).extract(gray).features.shape == (3, 1)


def test_the_file_is_described_and_held_to_its_digest(saved: Saved, build: Build) -> None:
    path = saved(Averages())
    described = build("torchscript", path=str(path), sha256=sha256(path), input_size=48).described()
    assert described["weights_sha256"] == sha256(path)
    assert described["resizer"] == "bilinear, antialiased, to 48×48, rounded to uint8"
    assert described["values"] == "(x / 255 − [0.0, 0.0, 0.0]) / [1.0, 1.0, 1.0]"
    with pytest.raises(WeightsMissing, match="is not the file that sha256 names"):
        build("torchscript", path=str(path), sha256="0" * 64)


def test_a_file_that_is_not_there_or_no_network_is_named(tmp_path: Path, build: Build) -> None:
    with pytest.raises(WeightsMissing, match=r"there is no file .*nowhere\.pt"):
        build("torchscript", path=str(tmp_path / "nowhere.pt"))
    (tmp_path / "text.pt").write_text("no network")
    with pytest.raises(WeightsMissing, match=r"text\.pt is no TorchScript file"):
        build("torchscript", path=str(tmp_path / "text.pt"))


def test_a_network_that_does_not_do_is_refused_before_it_is_used(saved: Saved, build: Build) -> None:
    path = str(saved(Convolution()))
    with pytest.raises(Unsuitable, match=r"gives \(2, 2, 30, 30\) of 2 images"):
        build("torchscript", path=path)
    with pytest.raises(Unsuitable, match=r"expected input.* to have 3 channels, but got 1 channels"):
        build("torchscript", (1, 32, 32), path=path, channels=1)
    with pytest.raises(Unsuitable, match="wants images of 1 channels or one, and these have 3"):
        build("torchscript", path=path, channels=1)


@pytest.mark.parametrize("knobs", [{"mean": [0.0, 0.0]}, {"std": []}, {"std": [0]}, {"channels": 2}, {"sha256": "a"}])
def test_knobs_that_cannot_be_meant_are_refused(knobs: dict, build: Build) -> None:
    with pytest.raises(ValidationError):
        build("torchscript", path="net.pt", **knobs)
