"""torchvision's classifiers, with the weights that they are born with; nothing is downloaded."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision.models as zoo
from pydantic import ValidationError

from genpipe.errors import Unsuitable, WeightsMissing
from genpipe.extractors import _weights
from genpipe.extractors import torchvision as ours

from .conftest import WITH_FURTHER_HEADS, Build, noise, smooth

MODELS = ["resnet18", "mobilenet_v3_small", *WITH_FURTHER_HEADS]


@pytest.mark.parametrize("model", MODELS)
def test_it_is_torchvisions_classifier_and_the_features_are_before_its_last_layer(
    model: str, born: Callable[[str], None], build: Build
) -> None:
    born(model)
    images = smooth(2)
    extractor = build("torchvision", model=model)
    seen = extractor.extract(images)
    weights = zoo.get_model_weights(model).DEFAULT
    whole = ours.built(model, weights, _weights.tensors(ours.published(weights)))
    with torch.inference_mode():
        logits = whole(weights.transforms()(torch.from_numpy(images)))
        last = extractor.last(torch.from_numpy(seen.features))  # type: ignore[attr-defined]
    assert seen.probabilities is not None
    np.testing.assert_allclose(seen.probabilities, logits.softmax(1), rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(last, logits, rtol=1e-4, atol=1e-5)


def test_the_builder_is_left_as_it_was(born: Callable[[str], None], build: Build) -> None:
    born("resnet18")
    build("torchvision", model="resnet18")
    weights = zoo.ResNet18_Weights.DEFAULT
    assert weights.get_state_dict.__func__ is type(weights).get_state_dict


def test_gray_images_are_seen_as_gray_color_images(born: Callable[[str], None], build: Build) -> None:
    born("resnet18")
    gray = noise(2, (1, 20, 20))
    color = build("torchvision", model="resnet18").extract(gray.repeat(3, axis=1)).features
    found = build("torchvision", (1, 20, 20), model="resnet18").extract(gray).features
    np.testing.assert_allclose(found, color, rtol=1e-5, atol=1e-6)


def test_weights_and_resizer_are_described(born: Callable[[str], None], build: Build) -> None:
    born("resnet18")
    described = build("torchvision", model="resnet18").described()
    assert described["weights"] == "resnet18.pth"
    assert described["resizer"] == "bilinear, antialiased, shorter side to 256, the middle 224×224"
    assert len(str(described["weights_sha256"])) == 64


def test_a_classifier_without_a_linear_layer_is_refused() -> None:
    with pytest.raises(Unsuitable, match="not linear"):
        ours.cut(zoo.squeezenet1_1(weights=None))


def test_every_published_file_tells_its_digits_and_every_model_can_be_cut() -> None:
    for model in zoo.list_models(module=zoo):
        for weights in zoo.get_model_weights(model):
            assert len(ours.published(weights).sha256) >= 8


def test_unknown_models_and_weights_are_refused_with_the_nearest(build: Build) -> None:
    with pytest.raises(ValidationError, match="should be a classifier of torchvision like resnet50, resnet"):
        build("torchvision", model="resnet51")
    with pytest.raises(ValidationError, match="should be weights of resnet50 like IMAGENET1K_V2"):
        build("torchvision", weights="IMAGENET1K_V3")


def test_where_weights_cannot_be_had_the_message_names_them(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "published", lambda weights: _weights.Published("http://127.0.0.1:9/x-11ad3fa6.pth", "1"))
    with pytest.raises(WeightsMissing, match=r"x-11ad3fa6\.pth"):
        build("torchvision")
