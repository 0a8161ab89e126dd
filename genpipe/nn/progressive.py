"""Layers of Karras et al. 2018 (arXiv:1710.10196) that keep training stable and images diverse."""

from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv_transpose2d
from torch.nn.utils.parametrize import register_parametrization

Features = Float[Tensor, "b c h w"]


class Scaled(nn.Module):
    """A parametrization that multiplies a weight by a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.factor


def equalized_lr(module: nn.Module, gain: float = sqrt(2), rate: float = 1.0) -> nn.Module:
    """Returns the module with equalized learning rates for its convolutions and dense layers: section 4.1.

    A weight is `gain` / √fan-in times one that starts from N(0, 1), so that Adam moves all layers by the same share of
    their size; a bias starts at 0. With another `rate` both learn so many times as fast.
    """
    for layer in [m for m in module.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]:
        inputs = layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels
        nn.init.normal_(layer.weight, std=1 / rate)
        fan_in = inputs * layer.weight[0, 0].numel()
        register_parametrization(layer, "weight", Scaled(rate * gain / sqrt(fan_in)))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
            if rate != 1:
                register_parametrization(layer, "bias", Scaled(rate))
    return module


class UpsampleConv2d(nn.Conv2d):
    """A convolution of 3 × 3 on features whose side is first doubled, every value four times.

    It is a transposed convolution whose kernel has sums of neighboring weights: four products where there were nine.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, x: Features) -> Float[Tensor, "b o 2*h 2*w"]:
        kernel = 4 * avg_pool2d(self.weight.flip(2, 3), 2, stride=1, padding=1)
        return conv_transpose2d(x, kernel.transpose(0, 1), self.bias, stride=2, padding=1)


class MinibatchStdDev(nn.Module):
    """Appends a channel with the mean standard deviation over a group of images, section 3.

    Groups are of four images, or of fewer where the batch cannot be divided so.
    """

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Features) -> Float[Tensor, "b c+1 h w"]:
        b, _, h, w = x.shape
        size = next(size for size in range(min(self.group, b), 0, -1) if b % size == 0)
        groups = x.float().unflatten(0, (size, b // size))  # image i is in group i mod (b / size)
        deviation = (groups.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
        plane = deviation.to(x.dtype).repeat(size)[:, None, None, None].expand(b, 1, h, w)
        return torch.cat([x, plane], dim=1)
