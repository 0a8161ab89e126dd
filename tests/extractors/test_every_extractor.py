"""What holds for all extractors: neither the order of images nor the batches they come in change what is seen."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from genpipe import registry
from genpipe.interfaces.extractors import Extractor
from genpipe.interfaces.spec import DataSpec
from genpipe.nn.multi_device import VARIABLE

from .conftest import Build, Saved, noise, smooth

Make = Callable[..., Extractor]
WITHOUT_BATCHES = ("classifier", "pixels")
"""Those that have no knob for them."""


@pytest.fixture(params=registry.names("extractors"))
def make(request: pytest.FixtureRequest, build: Build) -> Make:
    """Builds an extractor, its weights drawn from a seed, with knobs beside those that it needs."""
    name, needed = request.param, {}
    if name.startswith("inception"):
        request.getfixturevalue("inception")
    elif name == "torchvision":
        request.getfixturevalue("born")("resnet18")
        needed = {"model": "resnet18"}
    elif name == "clip":
        request.getfixturevalue("whole_clip")
    elif name == "dinov2":
        request.getfixturevalue("metas_dinov2")
        needed = {"model": "small"}
    elif name == "torchscript":
        saved: Saved = request.getfixturevalue("saved")
        needed = {"path": str(saved(nn.Sequential(nn.Conv2d(3, 8, 5), nn.AdaptiveAvgPool2d(2), nn.Flatten())))}

    def made(**knobs: object) -> Extractor:
        torch.manual_seed(0)
        return build(name, **needed, **({} if name in WITHOUT_BATCHES else knobs))

    return made


def test_neither_order_nor_batches_change_features(make: Make) -> None:
    images = np.concatenate([noise(1), smooth(2)])
    order = np.random.default_rng(0).permutation(len(images))
    expected = make(batch_size=32).extract(images)
    for size in (1, 2):
        seen = make(batch_size=size).extract(images[order])
        apart = np.linalg.norm(seen.features - expected.features[order], axis=1)
        assert (apart <= 1e-5 * np.linalg.norm(expected.features[order], axis=1)).all()
        if expected.probabilities is not None:
            np.testing.assert_allclose(seen.probabilities, expected.probabilities[order], rtol=1e-4)


@pytest.mark.parametrize("make", ["torchscript", "torchvision"], indirect=True)
def test_two_processes_see_what_one_does(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    images = noise(20)
    expected = make(batch_size=1).extract(images)
    monkeypatch.setenv(VARIABLE, "2")
    seen = make(batch_size=1).extract(images)
    np.testing.assert_allclose(seen.features, expected.features, rtol=1e-5, atol=1e-6)
    if expected.probabilities is not None:
        np.testing.assert_allclose(seen.probabilities, expected.probabilities, rtol=1e-5, atol=1e-6)


def test_evidence_has_a_row_of_float32_for_each_image(make: Make) -> None:
    images = noise(3)
    images.flags.writeable = False
    seen = make().extract(images)
    assert seen.images is images
    assert seen.features.shape[0] == 3
    assert seen.features.dtype == np.float32
    assert np.isfinite(seen.features).all()
    assert seen.features.std(0).max() > 0
    if seen.probabilities is not None:
        assert seen.probabilities.dtype == np.float32
        np.testing.assert_allclose(seen.probabilities.sum(1), 1, rtol=1e-5)


def test_it_is_described_the_same_each_time_and_ready_for_json(make: Make) -> None:
    described = make().described()
    assert json.dumps(described) == json.dumps(make(batch_size=7).described())
    assert {"resizer", "values", "precision"} <= described.keys()


def test_the_example_of_the_documentation_is_an_extractor() -> None:
    page = (Path(__file__).parents[2] / "docs/extending.md").read_text()
    (code,) = (body for body in re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S) if "(Extractor)" in body)
    made: dict = {}
    exec(compile(code, "docs/extending.md", "exec"), made)
    images = np.concatenate([np.full((1, 3, 4, 4), 255, np.uint8), noise(2, (3, 4, 4))])
    levels = made["Levels"](made["Levels"].Config(bins=4), DataSpec(3, 4, 4))
    features = levels.extract(images).features
    assert features.shape == (3, 12)
    assert features[0].tolist() == [0, 0, 0, 1] * 3
    assert features[1, :4].tolist() == [((images[1, 0] // 64) == level).mean() for level in range(4)]
    assert json.dumps(levels.described())
