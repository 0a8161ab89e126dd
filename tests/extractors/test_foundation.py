"""CLIP and DINOv2: small networks of the same make, with weights drawn from a seed, in files laid out like theirs."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from genpipe.errors import WeightsMissing
from genpipe.extractors import clip, dinov2

from .conftest import Build, Publish, WholeCLIP, drawn, smooth


def normalized(images: np.ndarray, mean: tuple, std: tuple) -> Tensor:
    """Images as the authors of CLIP and DINOv2 prepare them, with Pillow."""
    large = [Image.fromarray(i.transpose(1, 2, 0)).resize((224, 224), Image.Resampling.BICUBIC) for i in images]
    x = torch.from_numpy(np.stack([np.asarray(i) for i in large])).permute(0, 3, 1, 2) / 255
    return (x - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


def test_clip_is_openais_network_and_way_of_resizing(whole_clip: WholeCLIP, build: Build) -> None:
    images = smooth(3)
    seen = build("clip").extract(images)
    with torch.inference_mode():
        expected = whole_clip(normalized(images, clip.MEAN, clip.STD)).numpy()
    assert seen.features.shape == (3, 32)
    assert seen.probabilities is None
    assert np.abs(seen.features - expected).max() < 0.01 * np.abs(expected).max()


def test_clip_is_described(whole_clip: WholeCLIP, build: Build) -> None:
    described = build("clip").described()
    assert described["weights_sha256"] == clip.PUBLISHED["ViT-B/32"].sha256
    assert described["resizer"] == "bicubic, antialiased, to 224×224, rounded to uint8"
    assert "0.48145466" in str(described["values"])


def test_the_published_clip_files_are_those_that_torch_fidelity_names() -> None:
    from torch_fidelity.feature_extractor_clip import MODEL_URLS

    for model, published in clip.PUBLISHED.items():
        assert published.url == MODEL_URLS[f"clip-{model.lower().replace('/', '-')}"]


class FakeViT(nn.Module):
    """Stands for timm's network: a mean of patches with a place for everything that is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + 16 * 16, 3))

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3)) + self.pos_embed.mean((0, 1))


@pytest.fixture
def fake_timm(tmp_path: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict]]:
    """A timm that notes what it is asked for, and weights that fit its network."""
    asked: list[tuple[str, dict]] = []

    def create_model(name: str, **knobs: Any) -> nn.Module:
        asked.append((name, knobs))
        return FakeViT()

    timm = ModuleType("timm")
    timm.create_model = create_model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "timm", timm)
    torch.manual_seed(0)
    state = {"mask_token": torch.zeros(1, 3), "pos_embed": torch.randn(1, 1 + 37 * 37, 3)}
    made = drawn(tmp_path / "dinov2_vits14_pretrain.pth", state)
    monkeypatch.setitem(dinov2.PUBLISHED, "small", made.published)
    publish(made)
    return asked


def test_dinov2_asks_timm_for_the_network_and_fills_it(fake_timm: list, build: Build) -> None:
    images = smooth(3)
    extractor = build("dinov2", model="small")
    assert fake_timm == [("vit_small_patch14_dinov2", {"pretrained": False, "img_size": 224, "num_classes": 0})]
    expected = normalized(images, dinov2.MEAN, dinov2.STD).mean((2, 3)) + extractor.net.pos_embed.mean((0, 1))  # type: ignore[attr-defined]
    np.testing.assert_allclose(extractor.extract(images).features, expected.detach(), atol=0.01)
    assert extractor.described()["weights_sha256"] == dinov2.PUBLISHED["small"].sha256


def test_places_are_resampled_smoothly_and_the_class_token_stays() -> None:
    """A ramp stays one, within the ripple of bicubic filters, and follows a factor of 16.1 / 37, not of 16 / 37."""
    ramp = torch.arange(37.0).expand(37, 37).reshape(1, -1, 1)
    places = torch.cat([torch.full((1, 1, 1), 99.0), ramp], 1)
    found = dinov2.resampled(places, 16)
    assert found.shape == (1, 257, 1)
    assert found[0, 0, 0] == 99
    inner = found[0, 1:, 0].reshape(16, 16)[:, 1:-1]
    expected = (torch.arange(16) + 0.5) * 37 / 16.1 - 0.5
    torch.testing.assert_close(inner, expected[1:-1].expand(16, 14), atol=0.06, rtol=0)
    assert torch.equal(dinov2.resampled(places, 37), places)


def test_without_the_extra_the_message_says_what_to_install(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(WeightsMissing, match=r"pip install 'genpipe\[foundation\]'"):
        build("dinov2")


def test_timms_dinov2_takes_weights_in_metas_layout(metas_dinov2: None, build: Build) -> None:
    assert build("dinov2", model="small").extract(smooth(2)).features.shape == (2, 384)
