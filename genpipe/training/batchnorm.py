"""Batch normalization over the batches of all processes together."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed import all_reduce, get_world_size
from torch.nn.modules.batchnorm import _BatchNorm


def synchronize(model: nn.Module) -> None:
    """Makes every batch normalization of a model use the parts of a batch in all processes."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.__class__ = _Synchronized  # in place, because phases may hold the module already


class _Synchronized(_BatchNorm):
    """Mean and variance of equally large parts of a batch; differentiable as often as one likes, unlike PyTorch's."""

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - as PyTorch calls it
        """Any number of dimensions, of which the second is the channels."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        if not self.training:
            return super().forward(input)
        x, dims, shape = input.float(), [0, *range(2, input.ndim)], (1, -1, *[1] * (input.ndim - 2))
        count = get_world_size() * x.numel() // x.shape[1]
        mu = _Sum.apply(x.sum(dims)) / count
        centered = x - mu.view(shape)
        var = _Sum.apply(centered.square().sum(dims)) / count
        if self.track_running_stats:
            self._follow(mu.detach(), var.detach() * count / max(count - 1, 1))
        y = centered * torch.rsqrt(var + self.eps).view(shape)
        y = y if self.weight is None else y * self.weight.view(shape)
        return (y if self.bias is None else y + self.bias.view(shape)).to(input.dtype)

    def _follow(self, mu: Tensor, var: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        self.running_mean.add_((mu - self.running_mean) * share)
        self.running_var.add_((var - self.running_var) * share)


class _Sum(torch.autograd.Function):
    """The sum over all processes."""

    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        total = part.clone()
        all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Sum.apply(gradient)
