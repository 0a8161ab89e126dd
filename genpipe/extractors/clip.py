"""The image half of CLIP, whose features say what is on a picture."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor
from torch_fidelity.feature_extractor_clip import VisionTransformer

from genpipe.extractors import _weights
from genpipe.extractors._networks import Knobs, Network, Pixels, Preparation, Seen, require_colors
from genpipe.interfaces.spec import DataSpec

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SITE = "https://openaipublic.azureedge.net/clip/models"
PUBLISHED = {
    model: _weights.Published(f"{SITE}/{sha256}/{file}", sha256, size_bytes)
    for model, file, sha256, size_bytes in [
        ("ViT-B/32", "ViT-B-32.pt", "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af", 353_976_522),
        ("ViT-B/16", "ViT-B-16.pt", "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f", 350_837_078),
        ("ViT-L/14", "ViT-L-14.pt", "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836", 932_768_134),
    ]
}
HEAD_WIDTH = 64


class CLIP(Network):
    """Radford et al. 2021, arXiv:2103.00020, with OpenAI's weights; features are image embeddings, not normalized."""

    class Config(Knobs):
        model: Literal["ViT-B/32", "ViT-B/16", "ViT-L/14"] = "ViT-B/32"

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__()
        require_colors(spec)
        self.batch_size, self.published = config.batch_size, PUBLISHED[config.model]
        self.net = transformer(_tensors(self.published))
        self.prepare = Preparation(self.net.input_resolution, "bicubic", MEAN, STD)

    def seen(self, pixels: Pixels) -> Seen:
        return self.net(self.prepare(pixels)), None

    def described(self) -> Mapping[str, object]:
        return {
            "weights": self.published.name,
            "weights_sha256": self.published.sha256,
            **self.prepare.described(),
            "precision": "float32",
        }


def transformer(state: Mapping[str, Tensor]) -> VisionTransformer:
    """The image half of CLIP with its weights, which tell its size."""
    width, _, _, patch = state["conv1.weight"].shape
    side = round((len(state["positional_embedding"]) - 1) ** 0.5)
    layers = sum(name.endswith(".attn.in_proj_weight") for name in state)
    with torch.device("meta"):
        net = VisionTransformer(side * patch, patch, width, layers, width // HEAD_WIDTH, state["proj"].shape[1])
    net.load_state_dict(state, assign=True)
    return net.eval().requires_grad_(False)


def _tensors(published: _weights.Published) -> dict[str, Tensor]:
    """The weights of the image half in float32. OpenAI published them inside a program."""
    state = _weights.program(_weights.located(published)).state_dict()
    return {name.removeprefix("visual."): t.float() for name, t in state.items() if name.startswith("visual.")}
