"""Optimizers from their knobs."""

from collections.abc import Callable, Mapping

import torch
from torch import nn
from torch.optim import Optimizer

from genpipe.training.knobs import Optim

_MAKE: Mapping[str, Callable[[list[nn.Parameter], Optim], Optimizer]] = {
    "adam": lambda weights, o: torch.optim.Adam(
        weights, lr=o.lr, betas=o.betas, weight_decay=o.weight_decay, fused=True
    ),
    "adamw": lambda weights, o: torch.optim.AdamW(
        weights, lr=o.lr, betas=o.betas, weight_decay=o.weight_decay, fused=True
    ),
    "sgd": lambda weights, o: torch.optim.SGD(
        weights, lr=o.lr, momentum=o.betas[0], weight_decay=o.weight_decay, fused=True
    ),
    "rmsprop": lambda weights, o: torch.optim.RMSprop(weights, lr=o.lr, alpha=o.betas[1], weight_decay=o.weight_decay),
}


def optimizer(module: nn.Module, knobs: Optim) -> Optimizer:
    """The optimizer of a module's weights."""
    return _MAKE[knobs.algorithm](list(module.parameters()), knobs)
