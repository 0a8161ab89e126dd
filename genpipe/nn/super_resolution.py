"""SRResNet (Ledig et al. 2017, arXiv:1609.04802, figure 4): an image to one of two, four or eight times its size.

Its layers work at the small size; sub-pixel convolutions (Shi et al. 2016, arXiv:1609.05158) enlarge at the end. The
net adds to the bilinear enlargement, and has no batch norm, as do Wang et al. 2018 (arXiv:1809.00219, section 3.1).
"""

from typing import Annotated, Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import interpolate

from genpipe.interfaces.tensors import Images
from genpipe.schema import Strict

Features = Float[Tensor, "b c h w"]
FACTORS = (1, 2, 4, 8)
"""With 1 it mends images that keep their size."""


class SRResNetConfig(Strict):
    """Knobs of an SRResNet."""

    generator_channels: Annotated[int, Field(ge=1)] = 64
    generator_blocks: Annotated[int, Field(ge=1)] = 16
    """Residual blocks."""
    generator_norm: Literal["none", "batch"] = "none"
    """batch as in the paper; without it images do not depend on what they are in a batch with."""


class SRResNet(nn.Module):
    """Images [b c h w] in [-1, 1] to images [b c f·h f·w], near [-1, 1], for a factor f of `FACTORS`."""

    def __init__(self, config: SRResNetConfig, channels: int, factor: int) -> None:
        super().__init__()
        width, norm = config.generator_channels, nn.BatchNorm2d if config.generator_norm == "batch" else nn.Identity
        self.factor = factor
        self.first = nn.Sequential(nn.Conv2d(channels, width, 9, padding=4), nn.PReLU())
        self.blocks = nn.Sequential(
            *(SRResidualBlock(width, norm) for _ in range(config.generator_blocks)),
            nn.Conv2d(width, width, 3, padding=1),
            norm(width),
        )
        self.up = nn.Sequential(*(PixelShuffleUp(width) for _ in range(FACTORS.index(factor))))
        self.last = nn.Conv2d(width, channels, 9, padding=4).apply(_silence)  # it starts as the bilinear enlargement

    def forward(self, x: Images) -> Float[Tensor, "b c _ _"]:
        h = self.first(x)
        enlarged = interpolate(x, scale_factor=self.factor, mode="bilinear", align_corners=False)
        return enlarged + self.last(self.up(h + self.blocks(h)))


class SRResidualBlock(nn.Module):
    """x + two convolutions of 3 × 3 with norms, PReLU between them."""

    def __init__(self, channels: int, norm: type[nn.Module]) -> None:
        super().__init__()
        first, second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.net = nn.Sequential(first, norm(channels), nn.PReLU(), second, norm(channels))

    def forward(self, x: Features) -> Features:
        return x + self.net(x)


def _silence(layer: nn.Module) -> None:
    for weight in layer.parameters():
        nn.init.zeros_(weight)


class PixelShuffleUp(nn.Sequential):
    """Features [b c h w] to [b c 2h 2w]: four times the channels, which become squares of 2 × 2 pixels, and PReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__(nn.Conv2d(channels, 4 * channels, 3, padding=1), nn.PixelShuffle(2), nn.PReLU())
