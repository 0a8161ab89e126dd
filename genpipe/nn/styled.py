"""A generator with a style at every layer (Karras et al. 2019, arXiv:1812.04948, section 2 and figure 1b)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genpipe.interfaces.styles import Style, Styles
from genpipe.interfaces.tensors import Codes, Images
from genpipe.nn.fading import FadingGenerator, Output, Share, blurred
from genpipe.nn.modulation import PixelNorm, adaptive_instance_norm
from genpipe.nn.progressive import UpsampleConv2d, equalized_lr

Features = Float[Tensor, "b _ _ _"]
Noise = Float[Tensor, "_ 1 _ _"]
LAYERS_A_SIZE = 2


def mapping(latent_dim: int, style_dim: int, layers: int, rate: float) -> nn.Sequential:
    """Returns a net from normalized codes z to styles w; it learns `rate` times as fast as the rest (appendix C)."""
    dims = [latent_dim, *[style_dim] * layers]
    dense = (equalized_lr(nn.Linear(i, o), rate=rate) for i, o in pairwise(dims))
    return nn.Sequential(PixelNorm(), *(part for layer in dense for part in (layer, nn.LeakyReLU(0.2))))


class StyledLayer(nn.Module):
    """Adds noise at every position, with a learned strength per channel (at first 0), then applies the style."""

    def __init__(self, channels: int, style_dim: int) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(channels, 1, 1))
        self.bent = nn.LeakyReLU(0.2)
        self.norm = adaptive_instance_norm(channels, style_dim)
        equalized_lr(self.norm, gain=1.0)

    def forward(self, x: Features, w: Style, noise: Noise) -> Features:
        return self.norm(self.bent(x + self.strength * noise), w)


class ConstantInput(nn.Module):
    """The same learned features for every image of a batch."""

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.features = nn.Parameter(torch.randn(channels, *size))

    def forward(self, like: Tensor) -> Features:
        return self.features.expand(len(like), -1, -1, -1)


class Upsample(nn.Module):
    """Doubles the side, with a convolution and a binomial filter."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = equalized_lr(UpsampleConv2d(inputs, outputs))

    def forward(self, x: Features) -> Features:
        return blurred(self.convolution(x))


class StyledBlock(nn.Module):
    """Features of one size: upsampling, and two layers with a convolution between."""

    def __init__(self, before: nn.Module, channels: int, style_dim: int) -> None:
        super().__init__()
        self.before, self.between = before, equalized_lr(nn.Conv2d(channels, channels, 3, padding=1))
        self.one, self.two = (StyledLayer(channels, style_dim) for _ in range(LAYERS_A_SIZE))

    def forward(self, x: Tensor, w_one: Style, w_two: Style, noise_one: Noise, noise_two: Noise) -> Features:
        return self.two(self.between(self.one(self.before(x), w_one, noise_one)), w_two, noise_two)


class StyledGenerator(nn.Module):
    """G(z), with z → w. An image from a code alone has the noise that is stored with the weights."""

    def __init__(
        self,
        to_style: nn.Module,
        style_dim: int,
        widths: Sequence[int],
        channels: int,
        levels: int,
        first_size: tuple[int, int],
        output: Output,
    ) -> None:
        super().__init__()
        self.to_style = to_style
        before = [ConstantInput(widths[0], first_size), *(Upsample(i, o) for i, o in pairwise(widths))]
        blocks = [StyledBlock(way, width, style_dim) for way, width in zip(before, widths, strict=True)]
        self.net = FadingGenerator(blocks, widths, channels, levels, output)
        sizes = [(first_size[0] << k, first_size[1] << k) for k in range(len(widths))]
        self.layer_sizes = [size for size in sizes for _ in range(LAYERS_A_SIZE)]
        for k, noise in enumerate(self.noise(1)):
            self.register_buffer(f"noise_{k}", noise)

    def at(self, level: int) -> nn.ModuleList:
        """Returns the parts that are used at a level."""
        return nn.ModuleList([self.to_style, self.net.at(level)])

    def forward(self, z: Codes, level: int, alpha: Share) -> Images:
        w = self.to_style(z)[:, None].expand(-1, len(self.layer_sizes), -1)
        return self.drawn(w, level, alpha, self.kept_noise)

    def drawn(self, w: Styles, level: int, alpha: Share, noise: Sequence[Noise]) -> Images:
        """Returns the images of the styles and the noise of each layer; those beyond the level are unused."""
        layers = range(0, self.layers_at(level), LAYERS_A_SIZE)
        told = [(w[:, k], w[:, k + 1], noise[k], noise[k + 1]) for k in layers]
        return self.net(w, level, alpha, told)

    def layers_at(self, level: int) -> int:
        """Returns the number of layers at a level."""
        return len(self.layer_sizes) - LAYERS_A_SIZE * (len(self.net.to_image) - 1 - level)

    @property
    def kept_noise(self) -> list[Tensor]:
        """The stored noise of each layer, the same for every image."""
        return [cast(Tensor, getattr(self, f"noise_{k}")) for k in range(len(self.layer_sizes))]

    def noise(self, n: int, device: torch.device | None = None, rng: torch.Generator | None = None) -> list[Tensor]:
        """Returns noise of each layer for n images, from the given random generator or PyTorch's own."""
        return [torch.randn(n, 1, *size, device=device, generator=rng) for size in self.layer_sizes]
