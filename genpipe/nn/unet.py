"""U-Net (Ronneberger et al. 2015, arXiv:1505.04597) as a translator of images: Isola et al. 2017 (arXiv:1611.07004).

Each layer halves the image, down to where a side is odd or 1; the decoder gets the features of each size beside its own
(section 3.2.1 and appendix 6.1). Instead of transposed convolutions it doubles and convolves, which leaves no
checkerboard (Odena et al. 2016, doi:10.23915/distill.00003).
"""

from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from genpipe.nn.halving import Size, halved, most_halvings, norm, verify_halvings
from genpipe.nn.progressive import UpsampleConv2d
from genpipe.nn.strided import initialize
from genpipe.schema import Strict

WIDEST = 8
"""The deepest layers have so many times the channels of the first."""
DROPOUT_LAYERS = 3
"""So many of the deepest layers of the decoder have dropout."""


class UNetConfig(Strict):
    """Knobs of a U-Net."""

    generator_channels: Annotated[int, Field(ge=1)] = 64
    """Channels of the layer next to the image; they double each time the size halves, up to eight times as many."""
    generator_halvings: Annotated[int, Field(ge=1)] | None = None
    """How often the image is halved; null: as often as it can be."""
    generator_norm: Literal["instance", "batch", "none"] = "instance"
    """Instance norm makes an output depend on its own input alone."""
    generator_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the values that dropout sets to zero in training, in the three deepest layers of the decoder."""


class UNet(nn.Module):
    """Images or maps [b inputs h w] to images [b outputs h w] in the range of the last layer. Raises Unsuitable."""

    def __init__(
        self, config: UNetConfig, inputs: int, outputs: int, size: Size, last: type[nn.Module] = nn.Tanh
    ) -> None:
        super().__init__()
        times = config.generator_halvings or max(most_halvings(size), 1)
        verify_halvings(size, times, "generator_halvings")
        widths = [config.generator_channels * min(2**k, WIDEST) for k in range(times)]
        inwards = zip([inputs, *widths], widths, range(times), strict=False)
        self.down = nn.ModuleList([_down(config, i, o, halved(size, k + 1), first=k == 0) for i, o, k in inwards])
        outwards = range(times - 1, 0, -1)
        given = {k: widths[k] * (1 if k == times - 1 else 2) for k in range(times)}
        drops = [times - 1 - k < DROPOUT_LAYERS for k in range(times)]
        self.up = nn.ModuleList([_up(config, given[k], widths[k - 1], halved(size, k), drops[k]) for k in outwards])
        self.to_image = nn.Sequential(UpsampleConv2d(given[0], outputs), last())
        self.apply(initialize)

    def forward(self, x: Tensor) -> Float[Tensor, "b _ h w"]:
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
        x = skips.pop()
        for up in self.up:
            x = torch.cat([up(x), skips.pop()], dim=1)
        return self.to_image(x)


def _down(config: UNetConfig, inputs: int, outputs: int, size: Size, first: bool) -> nn.Sequential:
    after = [] if first else norm(config.generator_norm, outputs, size)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=not after), *after, nn.LeakyReLU(0.2))


def _up(config: UNetConfig, inputs: int, outputs: int, size: Size, drops: bool) -> nn.Sequential:
    dropout = [nn.Dropout(config.generator_dropout)] if drops and config.generator_dropout else []
    after = norm(config.generator_norm, outputs, size)
    return nn.Sequential(UpsampleConv2d(inputs, outputs), *after, *dropout, nn.ReLU())
