"""Generator and discriminator of several levels, the highest of which fades in (Karras et al. 2018, arXiv:1710.10196).

Level 0 is that of the smallest images, and each one more doubles their side. At α = 0 a level is the one below it, with
images twice as large; at α = 1 it stands alone (section 2 and figure 2 of the paper).
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, lerp, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate

from genpipe.interfaces.tensors import Images
from genpipe.nn.progressive import MinibatchStdDev, equalized_lr

Features = Float[Tensor, "b _ _ _"]
Share = Float[Tensor, ""]
Told = Sequence[Sequence[Tensor]]
"""The inputs of each block besides features."""
Output = Literal["linear", "tanh"]
OUTPUTS: Mapping[Output, type[nn.Module]] = {"linear": nn.Identity, "tanh": nn.Tanh}


def upsample(x: Features) -> Features:
    """Doubles the side by repeating every value four times."""
    return interpolate(x, scale_factor=2, mode="nearest")


def downsample(x: Features) -> Features:
    """Halves the side by the mean of four values."""
    return avg_pool2d(x, 2)


def blurred(x: Features) -> Features:
    """Applies a binomial filter of 3 × 3, with zero padding: Karras et al. 2019 (arXiv:1812.04948), section 2."""
    channels, row = x.shape[1], (2 - torch.arange(-1, 2, dtype=x.dtype, device=x.device).abs()) / 4
    return conv2d(x, torch.outer(row, row).expand(channels, 1, 3, 3), padding=1, groups=channels)


def fade_in(below: Features, above: Features, alpha: Share) -> Features:
    """Returns (1 − α) below + α above."""
    return lerp(below, above, alpha.to(above.dtype))


class FadingGenerator(nn.Module):
    """A generator of blocks that double the side, except the first, with an output image at each level.

    `widths` are the channels of the blocks. They end at the image's size; so does the last of so many levels.
    """

    def __init__(
        self, blocks: Sequence[nn.Module], widths: Sequence[int], channels: int, levels: int, output: Output
    ) -> None:
        super().__init__()
        self.blocks, self.output = nn.ModuleList(blocks), OUTPUTS[output]()
        self.to_image = nn.ModuleList([equalized_lr(nn.Conv2d(w, channels, 1), gain=1.0) for w in widths[-levels:]])

    def at(self, level: int) -> nn.ModuleList:
        """Returns the parts that are used at a level."""
        return nn.ModuleList([*self._blocks(level), *self.to_image[max(level - 1, 0) : level + 1]])

    def forward(self, x: Tensor, level: int, alpha: Share, told: Told = ()) -> Images:
        before = x
        for k, block in enumerate(self._blocks(level)):
            before, x = x, block(x, *(told[k] if told else ()))
        image = self.to_image[level](x)
        if level:
            image = fade_in(upsample(self.to_image[level - 1](before)), image, alpha)
        return self.output(image)

    def _blocks(self, level: int) -> nn.ModuleList:
        return self.blocks[: len(self.blocks) - len(self.to_image) + level + 1]


class FadingDiscriminator(nn.Module):
    """A discriminator with an input image at each level, and a batch statistic before the logit [b 1].

    Appendix A of the paper, table 2; `last_size` is the height and the width of the smallest features. With `blur`
    features are filtered before they are halved.
    """

    def __init__(
        self, widths: Sequence[int], channels: int, levels: int, last_size: tuple[int, int], blur: bool = False
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([DownsampleBlock(inputs, outputs, blur) for outputs, inputs in pairwise(widths)])
        self.from_image = nn.ModuleList([_convolution(channels, width, 1) for width in widths[-levels:]])
        inner = _convolution(widths[0] + 1, widths[0], 3, padding=1)
        whole = _convolution(widths[0], widths[0], last_size)
        logit = equalized_lr(nn.Linear(widths[0], 1), gain=1.0)
        self.last = nn.Sequential(MinibatchStdDev(), inner, whole, nn.Flatten(), logit)

    def at(self, level: int) -> nn.ModuleList:
        """Returns the parts that are used at a level."""
        ways = self.from_image[max(level - 1, 0) : level + 1]
        return nn.ModuleList([*self.blocks[: self._depth(level)], *ways, self.last])

    def forward(self, x: Images, level: int, alpha: Share) -> Float[Tensor, "b 1"]:
        h = self.from_image[level](x)
        for k in reversed(range(self._depth(level))):
            h = self.blocks[k](h)
            if level and k + 1 == self._depth(level):
                h = fade_in(self.from_image[level - 1](downsample(x)), h, alpha)
        return self.last(h)

    def _depth(self, level: int) -> int:
        """How often the images of a level are halved."""
        return len(self.blocks) - len(self.from_image) + level + 1


class DownsampleBlock(nn.Module):
    """Two convolutions, then half the side."""

    def __init__(self, inputs: int, outputs: int, blur: bool) -> None:
        super().__init__()
        self.one, self.two = (_convolution(inputs, width, 3, padding=1) for width in (inputs, outputs))
        self.blur = blur

    def forward(self, x: Features) -> Features:
        h = self.two(self.one(x))
        return downsample(blurred(h) if self.blur else h)


def _convolution(inputs: int, outputs: int, kernel: int | tuple[int, int], padding: int = 0) -> nn.Sequential:
    return nn.Sequential(equalized_lr(nn.Conv2d(inputs, outputs, kernel, padding=padding)), nn.LeakyReLU(0.2))
