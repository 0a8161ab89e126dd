"""Weights drawn from a seed in place of published ones, each in a file as its authors would lay it out."""

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.models as zoo
from torch import Tensor, nn
from torch_fidelity.feature_extractor_clip import VisionTransformer

from genpipe import registry
from genpipe.extractors import _inception, _weights, clip, dinov2, torchvision
from genpipe.interfaces.extractors import Extractor
from genpipe.interfaces.spec import DataSpec

Build = Callable[..., Extractor]
Publish = Callable[["Drawn"], None]
Saved = Callable[[nn.Module], Path]
WITH_FURTHER_HEADS = ["googlenet", "inception_v3"]
"""Models of torchvision that change themselves while they load published weights."""


@dataclass(frozen=True)
class Drawn:
    """A file of weights drawn from a seed, and what would be said of it if it were published."""

    path: Path
    published: _weights.Published


class WholeCLIP(nn.Module):
    """The image half of CLIP, and something of the text half."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = VisionTransformer(224, 32, 128, 2, 2, 32)
        self.text_projection = nn.Parameter(torch.randn(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.visual(x)


@pytest.fixture(autouse=True)
def _nothing_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """No test finds weights that happen to lie on this machine, but those marked so."""
    if not request.node.get_closest_marker("weights"):
        monkeypatch.setenv("GENPIPE_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
        monkeypatch.delenv("GENPIPE_WEIGHTS", raising=False)


@pytest.fixture
def build() -> Build:
    """Builds an extractor by its name, its knobs and the shape of the images."""

    def extractor(name: str, shape: tuple[int, int, int] = (3, 32, 32), **knobs: Any) -> Extractor:
        kind = registry.load("extractors", name)
        return kind(kind.Config(**knobs), DataSpec(*shape, classes=("a", "b")))

    return extractor


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Lets a drawn file be the one that is asked for."""
    return lambda drawn: monkeypatch.setenv("GENPIPE_WEIGHTS", str(drawn.path))


@pytest.fixture(scope="session")
def inception_weights(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """Of the FID paper's network; batch normalization fits images, so that activations neither vanish nor explode."""
    torch.manual_seed(0)
    body = _inception.convolutions()
    for module in body.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.5, 0.2)  # units that switch on and off make much of rounding
            module.momentum = 1.0
    resizing, images = _inception.resizing(32, 299), torch.from_numpy(np.concatenate([noise(4), smooth(4)]))
    with torch.no_grad():
        body.train()((resizing @ images.float() @ resizing.T - 128) / 128)
    last = {"fc.weight": torch.randn(_inception.CLASSES, 2048) / 10, "fc.bias": torch.randn(_inception.CLASSES)}
    return drawn(tmp_path_factory.mktemp("weights") / "inception.pth", body.state_dict() | last)


@pytest.fixture
def inception(inception_weights: Drawn, publish: Publish, monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """The drawn weights, as if they were the published ones."""
    monkeypatch.setattr(_inception, "PUBLISHED", inception_weights.published)
    publish(inception_weights)
    return inception_weights


@pytest.fixture
def born(tmp_path: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Gives torchvision's models the weights that they are born with, as if those were published."""

    def prepare(model: str) -> None:
        torch.manual_seed(0)
        knobs = {"init_weights": True} if model in WITH_FURTHER_HEADS else {}
        made = drawn(tmp_path / f"{model}.pth", zoo.get_model(model, weights=None, **knobs).state_dict())
        monkeypatch.setattr(torchvision, "published", lambda weights: made.published)
        publish(made)

    return prepare


@pytest.fixture
def whole_clip(tmp_path: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch) -> WholeCLIP:
    """A small CLIP, saved as OpenAI saved theirs: a program with most weights in half precision."""
    torch.manual_seed(0)
    whole = WholeCLIP().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.jit.trace(whole, torch.zeros(1, 3, 224, 224)).half()
        program.save(tmp_path / "ViT-B-32.pt")
    made = as_published(tmp_path / "ViT-B-32.pt")
    monkeypatch.setitem(clip.PUBLISHED, "ViT-B/32", made.published)
    publish(made)
    return whole.half().float()


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    """Saves a network as TorchScript."""

    def save(module: nn.Module) -> Path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.script(module).save(tmp_path / "net.pt")
        return tmp_path / "net.pt"

    return save


@pytest.fixture
def metas_dinov2(tmp_path: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of the smallest DINOv2 as it is born, in Meta's layout, as if they were the published ones."""
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    state = timm.create_model("vit_small_patch14_dinov2", pretrained=False, num_classes=0).state_dict()
    made = drawn(tmp_path / "dinov2_vits14_pretrain.pth", {**state, "mask_token": torch.zeros(1, 384)})
    monkeypatch.setitem(dinov2.PUBLISHED, "small", made.published)
    publish(made)


def drawn(path: Path, state: dict[str, Any]) -> Drawn:
    """A state dict in a file."""
    torch.save(state, path)
    return as_published(path)


def as_published(path: Path) -> Drawn:
    """A file as if somebody had published it."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return Drawn(path, _weights.Published(f"https://weights.example/{path.name}", digest, len(content)))


def noise(n: int, shape: tuple[int, int, int] = (3, 32, 32), seed: int = 0) -> np.ndarray:
    """Images of noise."""
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def smooth(n: int, shape: tuple[int, int, int] = (3, 32, 32), seed: int = 0) -> np.ndarray:
    """Images that change slowly, between random corners."""
    corners = torch.from_numpy(np.random.default_rng(seed).uniform(0, 255, (n, shape[0], 2, 2)))
    return nn.functional.interpolate(corners, shape[1:], mode="bilinear", align_corners=True).byte().numpy()
