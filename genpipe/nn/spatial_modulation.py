"""Spatially-adaptive normalization, SPADE (Park et al. 2019, arXiv:1903.07291): scale and shift at every place."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu
from torch.nn.functional import one_hot as encoded

Features = Float[Tensor, "b c h w"]
LabelMaps = Int[Tensor, "b h w"]
OneHotMaps = Float[Tensor, "b labels _ _"]
Norm = Literal["instance", "batch"]
NORMS = {"instance": nn.InstanceNorm2d, "batch": nn.BatchNorm2d}


class SPADE(nn.Module):
    """norm(h) · (1 + γ(m)) + β(m), eq. 1 of the paper with the 1 of its authors' code; the norm has no parameters.

    γ and β are two convolutions of the label map m, which takes the size of the features by nearest pixels.
    """

    def __init__(self, channels: int, labels: int, hidden_channels: int = 128, norm: Norm = "instance") -> None:
        super().__init__()
        self.norm = NORMS[norm](channels, affine=False)
        self.shared = nn.Sequential(nn.Conv2d(labels, hidden_channels, 3, padding=1), nn.ReLU())
        self.gamma, self.beta = (nn.Conv2d(hidden_channels, channels, 3, padding=1) for _ in range(2))

    def forward(self, h: Features, m: OneHotMaps) -> Features:
        of_map = self.shared(interpolate(m, h.shape[2:], mode="nearest"))
        return self.norm(h) * (1 + self.gamma(of_map)) + self.beta(of_map)


class SPADEBlock(nn.Module):
    """A residual block with SPADE before each convolution, and at a shortcut that changes channels: figure 4."""

    def __init__(self, inputs: int, outputs: int, labels: int, hidden_channels: int, norm: Norm = "instance") -> None:
        super().__init__()
        between = min(inputs, outputs)
        self.norms = nn.ModuleList([SPADE(width, labels, hidden_channels, norm) for width in (inputs, between)])
        self.one, self.two = nn.Conv2d(inputs, between, 3, padding=1), nn.Conv2d(between, outputs, 3, padding=1)
        self.changes = inputs != outputs
        if self.changes:
            self.shortcut_norm = SPADE(inputs, labels, hidden_channels, norm)
            self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Features, m: OneHotMaps) -> Float[Tensor, "b _ h w"]:
        h = self.one(leaky_relu(self.norms[0](x, m), 0.2))
        h = self.two(leaky_relu(self.norms[1](h, m), 0.2))
        return h + (self.shortcut(self.shortcut_norm(x, m)) if self.changes else x)


class ConcatenationBlock(nn.Module):
    """The same block with norms of their own scale and shift, and the map beside the features at each convolution."""

    def __init__(self, inputs: int, outputs: int, labels: int, norm: Norm = "instance") -> None:
        super().__init__()
        self.norms = nn.ModuleList([NORMS[norm](width, affine=True) for width in (inputs, outputs)])
        self.one, self.two = (nn.Conv2d(width + labels, outputs, 3, padding=1) for width in (inputs, outputs))
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else nn.Identity()

    def forward(self, x: Features, m: OneHotMaps) -> Float[Tensor, "b _ h w"]:
        beside = interpolate(m, x.shape[2:], mode="nearest")
        h = self.one(torch.cat([leaky_relu(self.norms[0](x), 0.2), beside], dim=1))
        return self.shortcut(x) + self.two(torch.cat([leaky_relu(self.norms[1](h), 0.2), beside], dim=1))


def one_hot(label_map: LabelMaps, labels: int) -> OneHotMaps:
    """Returns a channel of 0 and 1 for each label."""
    return encoded(label_map, labels).movedim(-1, 1).float()
