"""The FID paper's network is torch-fidelity's, with weights drawn from a seed and, where they are, the published."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from genpipe.errors import WeightsMissing
from genpipe.extractors import _inception, _networks, _weights
from genpipe.interfaces.extractors import Extractor
from genpipe.interfaces.spec import DataSpec

from .conftest import Build, Drawn, noise, smooth


def theirs(weights: Path, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What torch-fidelity makes of images: features, and the probabilities of its Inception Score."""
    layers = ["2048", "logits_unbiased"]
    net = FeatureExtractorInceptionV3("inception-v3-compat", layers, feature_extractor_weights_path=str(weights))
    with torch.inference_mode():
        pixels = torch.from_numpy(np.repeat(images, 3 // images.shape[1], axis=1))
        features, logits = (torch.cat(parts) for parts in zip(*map(net, pixels.split(16)), strict=True))
    return features.numpy(), logits.double().softmax(1).numpy()


def off(found: np.ndarray, expected: np.ndarray) -> float:
    """How far the worst row is from the expected one, relative to that one's length."""
    return float((np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)).max())


def frechet(x: np.ndarray, y: np.ndarray) -> float:
    """The Fréchet distance of fewer images than dimensions, exactly: tr (C C')^½ is a sum of singular values."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    a, b = ((f - f.mean(0)) / np.sqrt(len(f) - 1) for f in (x, y))
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return float(np.square(x.mean(0) - y.mean(0)).sum() + np.square(a).sum() + np.square(b).sum() - 2 * cross)


def held_to_theirs(weights: Path, ours: Callable[[np.ndarray], Extractor]) -> None:
    """Features and probabilities within 1e-4, and the distance of two sets within 1e-6."""
    sets = [noise(20), smooth(20)]
    made = []
    for images in sets:
        features, probabilities = theirs(weights, images)
        seen = ours(images).extract(images)
        assert seen.probabilities is not None
        assert seen.features.dtype == seen.probabilities.dtype == np.float32
        assert off(seen.features, features) < 1e-4
        assert off(seen.probabilities, probabilities) < 1e-4
        made.append((seen.features, features))
    (x, x_theirs), (y, y_theirs) = made
    assert frechet(x, y) == pytest.approx(frechet(x_theirs, y_theirs), rel=1e-6)


def test_features_probabilities_and_distance_are_torch_fidelitys(inception: Drawn, build: Build) -> None:
    held_to_theirs(inception.path, lambda images: build("inception", images.shape[1:]))


@pytest.mark.weights
def test_the_same_with_the_published_weights(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_weights, "_download", _refuse)
    try:
        weights = _weights.located(_inception.PUBLISHED)
    except WeightsMissing:
        pytest.skip("the published weights are not on this machine")
    held_to_theirs(weights, lambda images: build("inception", images.shape[1:]))


def _refuse(*_: object) -> None:
    raise OSError("tests download nothing")


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 40, 24), (1, 299, 299), (3, 320, 310)])
def test_every_shape_and_gray_images_too(shape: tuple[int, int, int], inception: Drawn, build: Build) -> None:
    images = np.concatenate([noise(1, shape), smooth(1, shape)])
    assert off(build("inception", shape).extract(images).features, theirs(inception.path, images)[0]) < 1e-4


@pytest.mark.parametrize("size", [1, 2, 32, 298, 299, 300, 1024])
def test_images_are_resized_as_tensorflow_did(size: int) -> None:
    x = torch.rand(1, 1, size, 5) * 255
    expected = interpolate_bilinear_2d_like_tensorflow1x(x, (299, 5), align_corners=False)
    torch.testing.assert_close(_inception.resizing(size, 299) @ x, expected, atol=1e-4, rtol=0)


def test_bfloat16_is_near_goes_under_its_own_name_and_says_so(inception: Drawn, build: Build) -> None:
    images = smooth(4)
    exact, rough = (build(name) for name in ("inception", "inception_bf16"))
    difference = off(rough.extract(images).features, exact.extract(images).features)
    assert 1e-4 < difference < 0.5
    assert (exact.described()["precision"], rough.described()["precision"]) == ("float32", "bfloat16")


def test_weights_and_resizer_are_described(inception: Drawn, build: Build) -> None:
    described = build("inception").described()
    assert described["weights_sha256"] == inception.published.sha256
    assert described["resizer"] == "bilinear as in TensorFlow 1, not antialiased, to 299×299"


def test_the_published_file_is_the_one_that_torch_fidelity_names() -> None:
    assert _inception.PUBLISHED.name == "weights-inception-2015-12-05-6726825d.pth"
    assert _inception.PUBLISHED.sha256.startswith("6726825d")


def test_without_weights_nothing_takes_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_weights, "_download", _refuse)
    with pytest.raises(WeightsMissing, match=r"weights-inception-2015-12-05-6726825d\.pth \(95,628,359 bytes"):
        _inception.TensorFlowInception(_networks.Knobs(), DataSpec(3, 32, 32))
