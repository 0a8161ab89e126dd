"""Orthogonal weights: initialization (Saxe et al. 2014, arXiv:1312.6120) and regularization."""

from collections.abc import Iterable, Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from genpipe.interfaces.tensors import Scalar
from genpipe.nn.precision import full_precision
from genpipe.nn.spectral import LAYERS

Form = Literal["relaxed", "full"]


def initialize_orthogonally(module: nn.Module) -> None:
    """Gives a layer's weight orthonormal rows or columns, whichever are fewer, and no bias; for `Module.apply`."""
    if isinstance(module, LAYERS):
        nn.init.orthogonal_(module.weight)
        bias = getattr(module, "bias", None)
        if bias is not None:
            nn.init.zeros_(bias)


def orthogonality(weights: Iterable[Tensor], form: Form = "relaxed") -> Scalar:
    """Sum of ‖WᵀW ∘ (1 − I)‖², or of ‖WᵀW − I‖² in full: eq. 3 and 2 of Brock et al. 2019 (arXiv:1809.11096).

    W has a filter in each column. Where there are more filters than numbers in one, they cannot all be orthogonal, and
    the rows are asked to be.
    """
    return torch.stack([_departure(weight, form) for weight in weights]).sum()


def kernels(module: nn.Module) -> Iterator[Tensor]:
    """Returns the weights of convolutions and dense layers in a module, before any parametrization."""
    for layer in module.modules():
        if isinstance(layer, LAYERS) and not isinstance(layer, nn.Embedding):
            parametrized = getattr(layer, "parametrizations", None)
            yield parametrized["weight"].original if parametrized else layer.weight


def _departure(weight: Tensor, form: Form) -> Scalar:
    with full_precision(weight):
        W = weight.float().flatten(1)  # a filter in each row
        gram = W @ W.mT if W.shape[0] <= W.shape[1] else W.mT @ W
        if form == "relaxed":
            return gram.square().sum() - gram.diagonal().square().sum()
        return (gram - torch.eye(len(gram), device=gram.device)).square().sum()
