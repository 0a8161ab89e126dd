"""DINOv2, whose features were learned without labels (with the extra: pip install 'genpipe[foundation]')."""

from collections.abc import Mapping
from types import ModuleType
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from genpipe.errors import WeightsMissing
from genpipe.extractors import _weights
from genpipe.extractors._networks import Knobs, Network, Pixels, Preparation, Seen, require_colors
from genpipe.interfaces.spec import DataSpec

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZE, PATCH = 224, 14
SITE = "https://dl.fbaipublicfiles.com/dinov2"
PUBLISHED = {
    model: _weights.Published(f"{SITE}/{file}/{file}_pretrain.pth", sha256, size_bytes)
    for model, file, sha256, size_bytes in [
        ("small", "dinov2_vits14", "b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9", 88_283_115),
        ("base", "dinov2_vitb14", "0b8b82f85de91b424aded121c7e1dcc2b7bc6d0adeea651bf73a13307fad8c73", 346_378_731),
        ("large", "dinov2_vitl14", "d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428", 1_217_586_395),
    ]
}


class DINOv2(Network):
    """Oquab et al. 2023, arXiv:2304.07193, with Meta's weights; features are the class token after the last norm.

    Stein et al. 2023 (arXiv:2306.04675) found the distances seen through ViT-L/14 to agree best with people.
    """

    class Config(Knobs):
        model: Literal["small", "base", "large"] = "large"
        """ViT-S/14, ViT-B/14 or ViT-L/14."""

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__()
        require_colors(spec)
        timm = _timm()
        self.batch_size, self.published = config.batch_size, PUBLISHED[config.model]
        state = _weights.tensors(self.published)
        del state["mask_token"]  # for training only
        state["pos_embed"] = resampled(state["pos_embed"], SIZE // PATCH)
        name = f"vit_{config.model}_patch{PATCH}_dinov2"
        self.net = timm.create_model(name, pretrained=False, img_size=SIZE, num_classes=0)
        self.net.load_state_dict(state)
        self.net.requires_grad_(False)
        self.prepare = Preparation(SIZE, "bicubic", MEAN, STD)

    def seen(self, pixels: Pixels) -> Seen:
        return self.net(self.prepare(pixels)), None

    def described(self) -> Mapping[str, object]:
        return {
            "weights": self.published.name,
            "weights_sha256": self.published.sha256,
            **self.prepare.described(),
            "precision": "float32",
        }


def resampled(places: Float[Tensor, "1 n d"], side: int) -> Float[Tensor, "1 m d"]:
    """The embedding of places for side × side patches, resampled as Meta's code does: 0.1 patches too wide.

    The first one, of the class token, stays.
    """
    old = round((places.shape[1] - 1) ** 0.5)
    grid = places[:, 1:].unflatten(1, (old, old)).permute(0, 3, 1, 2)
    if old != side:
        grid = interpolate(grid, scale_factor=((side + 0.1) / old,) * 2, mode="bicubic")
    return torch.cat([places[:, :1], grid.flatten(2).mT], 1)


def _timm() -> ModuleType:
    try:
        import timm
    except ModuleNotFoundError:
        raise WeightsMissing("dinov2 needs one more package: pip install 'genpipe[foundation]'.") from None
    found: ModuleType = timm
    return found
