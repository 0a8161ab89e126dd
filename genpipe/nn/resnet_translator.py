"""A translator of images made of residual blocks: Zhu et al. 2017 (arXiv:1703.10593), appendix 7.2.

The architecture is that of Johnson et al. 2016 (arXiv:1603.08155): two halvings, residual blocks, two doublings, with
reflection padding. Here it doubles and convolves, which leaves no checkerboard.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from genpipe.interfaces.tensors import Images
from genpipe.nn.halving import Size, halved, norm, verify_halvings
from genpipe.nn.progressive import UpsampleConv2d
from genpipe.nn.strided import initialize
from genpipe.schema import Strict

Features = Float[Tensor, "b c h w"]
HALVINGS = 2


class ResNetConfig(Strict):
    """Knobs of a translator made of residual blocks."""

    generator_channels: Annotated[int, Field(ge=1)] = 64
    """Channels of the layers next to the images; the residual blocks have four times as many."""
    generator_blocks: Annotated[int, Field(ge=1)] = 6
    """Residual blocks; the paper takes 6 for images of 128 pixels, and 9 for 256."""
    generator_norm: Literal["instance", "batch", "none"] = "instance"
    """Instance norm makes an output depend on its own input alone."""


class ResNetTranslator(nn.Module):
    """Images or maps [b inputs h w] to images [b outputs h w] in [-1, 1]. Raises Unsuitable.

    `dilations` are those of the first convolution of each residual block, in turn.
    """

    def __init__(
        self, config: ResNetConfig, inputs: int, outputs: int, size: Size, dilations: Sequence[int] = (1,)
    ) -> None:
        super().__init__()
        verify_halvings(size, HALVINGS, "the generator", least_pixels=2)
        kind, widths = config.generator_norm, [config.generator_channels * 2**k for k in range(HALVINGS + 1)]
        sizes = [halved(size, k) for k in range(HALVINGS + 1)]
        inner = [dilations[k % len(dilations)] for k in range(config.generator_blocks)]
        self.net = nn.Sequential(
            _conv(inputs, widths[0], 7),
            *norm(kind, widths[0], size),
            nn.ReLU(),
            *(_down(kind, widths[k], widths[k + 1], sizes[k + 1]) for k in range(HALVINGS)),
            *(ResidualBlock(kind, widths[-1], sizes[-1], dilation) for dilation in inner),
            *(_up(kind, widths[k + 1], widths[k], sizes[k]) for k in reversed(range(HALVINGS))),
            _conv(widths[0], outputs, 7),
            nn.Tanh(),
        )
        self.apply(initialize)

    def forward(self, x: Tensor) -> Images:
        return self.net(x)


class ResidualBlock(nn.Module):
    """x + two convolutions of 3 × 3 with norms, the first dilated, without a nonlinearity after the sum."""

    def __init__(self, kind: str, channels: int, size: Size, dilation: int = 1) -> None:
        super().__init__()
        self.net = nn.Sequential(
            _conv(channels, channels, 3, dilation),
            *norm(kind, channels, size),
            nn.ReLU(),
            _conv(channels, channels, 3),
            *norm(kind, channels, size),
        )

    def forward(self, x: Features) -> Features:
        return x + self.net(x)


def _conv(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size, and reflects the image at its border."""
    return nn.Conv2d(
        inputs, outputs, kernel, padding=dilation * (kernel // 2), dilation=dilation, padding_mode="reflect"
    )


def _down(kind: str, inputs: int, outputs: int, size: Size) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, 2, 1), *norm(kind, outputs, size), nn.ReLU())


def _up(kind: str, inputs: int, outputs: int, size: Size) -> nn.Sequential:
    return nn.Sequential(UpsampleConv2d(inputs, outputs), *norm(kind, outputs, size), nn.ReLU())
