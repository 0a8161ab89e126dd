"""Optimizers from their knobs."""

from collections.abc import Callable, Iterable, Mapping
from math import nan
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from genpipe.config.training import Optim
from genpipe.training.devices import full_tensor

_MAKE: Mapping[str, Callable[[list[nn.Parameter], Optim], Optimizer]] = {
    "adam": lambda weights, o: torch.optim.Adam(
        weights, lr=o.lr, betas=o.betas, weight_decay=o.weight_decay, fused=True
    ),
    "adamw": lambda weights, o: torch.optim.AdamW(
        weights, lr=o.lr, betas=o.betas, weight_decay=o.weight_decay, fused=True
    ),
    "sgd": lambda weights, o: torch.optim.SGD(
        weights, lr=o.lr, momentum=o.momentum, weight_decay=o.weight_decay, fused=True
    ),
    "rmsprop": lambda weights, o: torch.optim.RMSprop(weights, lr=o.lr, alpha=o.alpha, weight_decay=o.weight_decay),
}


def optimizer(module: nn.Module, knobs: Optim) -> Optimizer:
    """Returns the optimizer of a module's weights."""
    return _MAKE[knobs.algorithm](list(module.parameters()), knobs)


def buffered(moving: Optimizer) -> Optimizer:
    """Returns the optimizer with its momentum buffers created.

    The fused form of SGD wants them of all weights or of none, and would keep what those of a skipped first step held.
    """
    if isinstance(moving, torch.optim.SGD):
        for weights in (w for group in moving.param_groups if group["momentum"] for w in group["params"]):
            if moving.state[weights].get("momentum_buffer") is None:
                moving.state[weights]["momentum_buffer"] = torch.zeros_like(weights)
    return moving


def step_if_finite(
    moving: Any, module: nn.Module, noted: Mapping[str, Tensor], buffers: Iterable[tuple[Tensor, Tensor]]
) -> dict[str, Tensor]:
    """Updates the weights of a Fabric optimizer if loss and gradient are finite, without waiting for the device.

    Otherwise weights and the optimizer's state stay as they are, and each buffer goes back to the copy of it that is
    given along. Gives what was noted (a loss, perhaps the norm of the gradient), NaN if the turn was skipped, and
    whether it was. RMSprop has no fused form that could be told on the device, so it waits.
    """
    gradients = [w.grad for w in module.parameters() if w.grad is not None]
    norm = noted["grad_norm"] if "grad_norm" in noted else total_norm(gradients)
    bad = ~torch.isfinite(norm + noted["loss"])
    if hasattr(moving._strategy.precision, "scaler"):
        moving.step()  # who scales losses looks for himself
    elif not isinstance(moving.optimizer, torch.optim.RMSprop):
        moving.optimizer.found_inf = bad.float()
        moving.step()
    elif not bad:
        moving.step()
    for buffer, before in buffers:
        buffer.copy_(torch.where(bad, before, buffer))
    told = {name: value.float().masked_fill(bad, nan) for name, value in {**noted, "grad_norm": norm}.items()}
    return {**told, "skipped_share": bad.float()}


def total_norm(tensors: Iterable[Tensor]) -> Tensor:
    """Returns the norm of all values together, also of tensors that are split over processes."""
    return full_tensor(torch.nn.utils.get_total_norm(tensors))
