"""Normalization whose scale and shift depend on a vector: a class, a code, a style."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

Features = Float[Tensor, "b c h w"]
Condition = Float[Tensor, "b told"]


class BatchNorm(nn.BatchNorm2d):
    """Batch norm with its own scale and shift, which ignores the condition."""

    def forward(self, x: Features, condition: Condition | None = None) -> Features:
        return super().forward(x)


class ConditionalNorm(nn.Module):
    """(1 + A c) ∘ norm(x) + B c, where the norm has no own scale and shift."""

    def __init__(self, norm: nn.Module, channels: int, condition_dim: int, bias: bool) -> None:
        super().__init__()
        self.norm = norm
        self.scale, self.shift = (nn.Linear(condition_dim, channels, bias=bias) for _ in range(2))

    def forward(self, x: Features, condition: Condition) -> Features:
        scale, shift = (of(condition)[:, :, None, None] for of in (self.scale, self.shift))
        return (1 + scale) * self.norm(x) + shift


def conditional_batch_norm(channels: int, condition_dim: int) -> ConditionalNorm:
    """Class-conditional batch norm (de Vries et al. 2017, arXiv:1707.00683); for a one-hot class a row of A each."""
    return ConditionalNorm(nn.BatchNorm2d(channels, affine=False), channels, condition_dim, bias=False)


def adaptive_instance_norm(channels: int, style_dim: int) -> ConditionalNorm:
    """AdaIN with a learned affine map of the style, eq. 1 of Karras et al. 2019 (arXiv:1812.04948)."""
    return ConditionalNorm(nn.InstanceNorm2d(channels, eps=1e-8), channels, style_dim, bias=True)


class PixelNorm(nn.Module):
    """Divides each position's vector by its root mean square, section 4.2 of Karras et al. 2018 (arXiv:1710.10196)."""

    def forward(self, x: Float[Tensor, "b c *places"]) -> Float[Tensor, "b c *places"]:
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)
