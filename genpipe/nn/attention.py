"""Self-attention between the positions of a feature map (Zhang et al. 2019, arXiv:1805.08318, section 3)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

Features = Float[Tensor, "b c h w"]


class SelfAttention(nn.Module):
    """x + γ o(x), where o at each position is a mean of all positions, weighted by similarity; γ starts at 0.

    As in the authors' code, keys and values are halved in each direction, which makes it four times as cheap.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        key, value = max(channels // 8, 1), max(channels // 2, 1)
        self.query, self.key = nn.Conv2d(channels, key, 1, bias=False), nn.Conv2d(channels, key, 1, bias=False)
        self.value, self.out = nn.Conv2d(channels, value, 1, bias=False), nn.Conv2d(value, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Features) -> Features:
        q = self.query(x).flatten(2)
        k, v = (max_pool2d(made(x), 2).flatten(2) for made in (self.key, self.value))
        weights = (q.mT @ k).softmax(2)
        o = (v @ weights.mT).unflatten(2, x.shape[2:])
        return x + self.gamma * self.out(o)
