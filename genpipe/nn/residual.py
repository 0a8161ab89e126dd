"""Generator and discriminator of residual blocks (Miyato et al. 2018, arXiv:1802.05957, appendix B.4).

Features double in width with each halving of the image, down to a shorter side of 4 to 7 pixels. Self-attention may
follow the block of one size.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod
from typing import Annotated

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from genpipe.errors import Unsuitable
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Codes, Images
from genpipe.nn.adversarial import GANConfig
from genpipe.nn.attention import SelfAttention
from genpipe.nn.modulation import BatchNorm, Condition
from genpipe.nn.strided import doublings, first_size

Features = Float[Tensor, "b _ _ _"]
Norm = Callable[[int], nn.Module]
"""Makes a norm for a number of channels; it is called with features and a condition."""


class Residual(GANConfig):
    """Knobs of the width of both nets and of their self-attention."""

    generator_channels: Annotated[int, Field(ge=1)] = 64
    """Channels of the layer next to the image; they double each time the size halves."""
    discriminator_channels: Annotated[int, Field(ge=1)] = 64
    attention_size: Annotated[int, Field(ge=2)] | None = None
    """Shorter side of the features with self-attention, in pixels; null: no attention."""


class Up(nn.Module):
    """A residual block that doubles the side."""

    def __init__(self, inputs: int, outputs: int, norm: Norm) -> None:
        super().__init__()
        self.norms = nn.ModuleList([norm(inputs), norm(outputs)])
        self.first, self.second = nn.Conv2d(inputs, outputs, 3, padding=1), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Features, condition: Condition | None) -> Features:
        h = self.first(_upsample(relu(self.norms[0](x, condition))))
        h = self.second(relu(self.norms[1](h, condition)))
        return h + _upsample(self.shortcut(x))  # a 1 × 1 convolution is the same before doubling, and cheaper


class Down(nn.Module):
    """A residual block that halves the side, or keeps it; the first one gets an image."""

    def __init__(self, inputs: int, outputs: int, halves: bool = True, first: bool = False) -> None:
        super().__init__()
        self.halves, self.first = halves, first
        self.one, self.two = nn.Conv2d(inputs, outputs, 3, padding=1), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if halves or inputs != outputs else nn.Identity()

    def forward(self, x: Features) -> Features:
        h = self.two(relu(self.one(x if self.first else relu(x))))
        return self._sized(h) + self.shortcut(self._sized(x))

    def _sized(self, x: Features) -> Features:
        return avg_pool2d(x, 2) if self.halves else x


class Generator(nn.Module):
    """Codes [b inputs], and a condition for each block if norms ask for it, to images in [-1, 1]. Raises Unsuitable."""

    def __init__(self, config: Residual, inputs: int, spec: DataSpec, norm: Norm = BatchNorm) -> None:
        super().__init__()
        _check_attention(config, spec)
        widths = [config.generator_channels * 2**k for k in reversed(range(doublings(spec) + 1))]
        self.first_size = first_size(spec)
        self.seed = nn.Linear(inputs, widths[0] * prod(self.first_size))
        self.blocks = nn.ModuleList([Up(i, o, norm) for i, o in pairwise(widths)])
        self.attention = _attention(config, _sizes(spec)[1:], widths[1:])
        self.norm, self.to_image = BatchNorm(widths[-1]), nn.Conv2d(widths[-1], spec.channels, 3, padding=1)

    def forward(self, z: Codes, conditions: Sequence[Condition] | None = None) -> Images:
        x = self.seed(z).unflatten(1, (-1, *self.first_size))
        for k, block in enumerate(self.blocks):
            x = self.attention[k](block(x, conditions[k] if conditions else None))
        return self.to_image(relu(self.norm(x))).tanh()


class Discriminator(nn.Module):
    """Images and further inputs of the head, such as labels, to the head's output. Raises Unsuitable."""

    def __init__(self, config: Residual, spec: DataSpec, head: Callable[[int], nn.Module]) -> None:
        super().__init__()
        widths = [spec.channels, *(config.discriminator_channels * 2**k for k in range(doublings(spec)))]
        halving = [Down(i, o, first=k == 0) for k, (i, o) in enumerate(pairwise(widths))]
        self.blocks = nn.ModuleList([*halving, Down(widths[-1], widths[-1], halves=False)])
        self.attention = nn.ModuleList([*_attention(config, _sizes(spec)[-2::-1], widths[1:]), nn.Identity()])
        self.head = head(widths[-1])

    def forward(self, x: Images, *told: Tensor) -> Float[Tensor, "b k"]:
        for block, attention in zip(self.blocks, self.attention, strict=True):
            x = attention(block(x))
        return self.head(relu(x).sum((2, 3)), *told)


def _sizes(spec: DataSpec) -> list[int]:
    """The shorter sides of features, from the first map to the image. Raises Unsuitable."""
    return [min(first_size(spec)) * 2**k for k in range(doublings(spec) + 1)]


def _attention(config: Residual, sizes: Sequence[int], widths: Sequence[int]) -> nn.ModuleList:
    """What follows the block of each size: self-attention where it is wanted."""
    kinds = [size == config.attention_size for size in sizes]
    return nn.ModuleList(
        [SelfAttention(w) if wanted else nn.Identity() for wanted, w in zip(kinds, widths, strict=True)]
    )


def _check_attention(config: Residual, spec: DataSpec) -> None:
    """Raises Unsuitable if self-attention is wanted where no features are."""
    wanted, sizes = config.attention_size, _sizes(spec)
    if wanted is not None and wanted not in sizes:
        raise Unsuitable(
            f"attention_size is {wanted}, but features have {', '.join(map(str, sizes))} pixels a side. Choose one of "
            "these, or null for no attention."
        )


def _upsample(x: Features) -> Features:
    return interpolate(x, scale_factor=2, mode="nearest")
