"""Any classifier of torchvision, with its published weights and its own way of resizing."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import torchvision.models as zoo
from pydantic import field_validator
from pydantic_core import PydanticCustomError
from torch import Tensor, nn
from torchvision.models import WeightsEnum

from genpipe.errors import Unsuitable
from genpipe.extractors import _weights
from genpipe.extractors._networks import Knobs, Network, Pixels, Seen, in_channels, require_colors
from genpipe.interfaces.spec import DataSpec
from genpipe.nn.weights import digest


class Torchvision(Network):
    """Features are what the last linear layer is given, probabilities the softmax of what it gives."""

    class Config(Knobs):
        model: str = "resnet50"
        """As `torchvision.models` calls it."""
        weights: str = "DEFAULT"
        """A member of the model's enumeration of weights: "IMAGENET1K_V1"."""

        @field_validator("model")
        @classmethod
        def _is_there(cls, name: str) -> str:
            return _one_of(zoo.list_models(module=zoo), name, "should be a classifier of torchvision")

        @field_validator("weights")
        @classmethod
        def _are_there(cls, name: str, info: Any) -> str:
            model = info.data.get("model")
            known = zoo.get_model_weights(model).__members__ if model else [name]
            return _one_of(list(known), name, f"should be weights of {model}")

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__()
        require_colors(spec)
        self.batch_size = config.batch_size
        weights = zoo.get_model_weights(config.model)[config.weights]
        net = built(config.model, weights, _weights.tensors(published(weights)))
        self.weights_sha256 = digest(net)
        self.body, self.last = cut(net)
        self.prepare = weights.transforms()
        self.file = published(weights).name

    def seen(self, pixels: Pixels) -> Seen:
        z = self.body(self.prepare(in_channels(pixels, 3)))
        return z, self.last(z)

    def described(self) -> Mapping[str, object]:
        p = self.prepare
        filtered = f"{p.interpolation.value}, {'' if p.antialias else 'not '}antialiased"
        return {
            "weights": self.file,
            "weights_sha256": self.weights_sha256,
            "resizer": f"{filtered}, shorter side to {p.resize_size[0]}, the middle {p.crop_size[0]}×{p.crop_size[0]}",
            "values": f"(x / 255 − {p.mean}) / {p.std}",
            "precision": "float32",
        }


def published(weights: WeightsEnum) -> _weights.Published:
    """The file of a set of weights; the first digits of its SHA-256 are in its name."""
    digits = re.search(r"-([0-9a-f]{8,})\.pth$", weights.url)
    assert digits, f"{weights.url} has no digits of a SHA-256"
    return _weights.Published(weights.url, digits[1])


def built(model: str, weights: WeightsEnum, state: Mapping[str, Tensor]) -> nn.Module:
    """The network as torchvision builds it for a set of weights, given their tensors."""
    # A few models change themselves, or the names in the file, while they load published weights. So torchvision is
    # to do it, but with tensors that have been checked and loaded without running what a file may hold.
    given: Any = weights
    given.get_state_dict = lambda **_: dict(state)
    try:
        return zoo.get_model(model, weights=weights).eval().requires_grad_(False)
    finally:
        del given.get_state_dict


def cut(net: nn.Module) -> tuple[nn.Module, nn.Linear]:
    """A classifier without its last layer, and that layer. Raises Unsuitable if that is no linear one."""
    linear = [(name, module) for name, module in net.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise Unsuitable("the last layer of the classifier is not linear, so it has no features; take another model.")
    name, last = linear[-1]
    net.set_submodule(name, nn.Identity())
    return net, last


def _one_of(known: list[str], name: str, wanted: str) -> str:
    if name not in known:
        near = ", ".join(get_close_matches(name, known, n=5, cutoff=0))
        raise PydanticCustomError("unknown", "{wanted} like {near}", {"wanted": wanted, "near": near})
    return name
