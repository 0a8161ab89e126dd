"""Sharded weights: each process keeps a part, and gathers all of them only for an update.

Gradients, optimizers and averages are cut in the same way. PyTorch's `fully_shard` does it, on CPUs too. Fabric's own
FSDP wants a GPU, and a model whose `forward` is called, where ours have a loss for each phase.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer


class _Around(nn.Module):
    """Makes any loss a `forward`, around which PyTorch gathers weights and shares out gradients."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, loss: Callable[..., Any], *arguments: Any) -> Any:
        return loss(*arguments)


class Sharded:
    """A model that is sharded in place; scalars stay whole."""

    def __init__(self, model: nn.Module, device: Fabric) -> None:
        self.model, self.first = model.to(memory_format=torch.contiguous_format), device.is_global_zero
        mesh = init_device_mesh(device.device.type, (device.world_size,))
        numbers = {weight for weight in model.parameters() if not weight.ndim}
        self._around = _Around(model)
        fully_shard(self._around, mesh=mesh, reshard_after_forward=False, ignored_params=numbers)

    def loss(self, loss: Callable[..., Any]) -> Callable[..., Any]:
        """Computes the loss with full weights, also for the gradient."""
        return partial(self._around, loss)

    @contextmanager
    def full_weights(self) -> Iterator[None]:
        """Gives every process the full weights while the block runs; changes to them are lost."""
        around = cast(FSDPModule, self._around)
        around.unshard()
        try:
            yield
        finally:
            around.reshard()

    def join(self) -> None:
        """Makes the model an ordinary one again, complete in every process."""
        whole: dict[nn.Parameter, nn.Parameter] = {}  # one that has two places keeps both
        for module in self.model.modules():
            for name, weight in module.named_parameters(recurse=False, remove_duplicate=False):
                if isinstance(weight, DTensor):
                    whole.setdefault(weight, nn.Parameter(weight.full_tensor().detach(), weight.requires_grad))
                    setattr(module, name, whole[weight])

    def full_state(self, state: Any) -> Any:
        """Returns the state with full tensors in CPU memory; all processes must call it, only the first gets it."""
        if isinstance(state, DTensor):
            full = state.full_tensor()
            return full.cpu() if self.first else full.new_empty(0)
        if isinstance(state, Mapping):
            return {name: self.full_state(value) for name, value in state.items()}
        return [self.full_state(value) for value in state] if isinstance(state, list) else state


def shard_like(likes: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns this process's parts of full tensors, for those that are sharded under the same name."""
    return {name: _shard_like(likes[name], tensor) for name, tensor in state.items()}


def shard_optimizer(optimizer: Optimizer, saved: Mapping[str, Any]) -> dict[str, Any]:
    """Returns this process's part of the full state of an optimizer."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    cut = {k: {name: _shard_like(weights[k], value) for name, value in of.items()} for k, of in saved["state"].items()}
    return {**saved, "state": cut}


def _shard_like(like: Tensor, value: Any) -> Any:
    """The part for this process of a tensor that every process has whole, if the other is cut; else the tensor."""
    if not (isinstance(like, DTensor) and isinstance(value, Tensor) and value.shape == like.shape):
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
