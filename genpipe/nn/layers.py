"""Outputs of the layers of a net."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


def layer_outputs(net: nn.Module, run: Callable[[], object]) -> list[Tensor]:
    """Collects the outputs of a net's layers while something runs, outermost first.

    Of maps [b c h w] it is the last of each size, and of rows [b d] the last of each length. Layers in front of the
    first weights are left out, and so is a single number an image, which is an answer.
    """
    found: dict[Any, Tensor] = {}

    def note(layer: nn.Module, _: Any, given: Tensor) -> None:
        if given[0].numel() > 1 and (found or any(True for _ in layer.parameters())):
            size = given.shape[2:] or given.shape[1:]
            found.pop(size, None)
            found[size] = given

    layers = [layer for name, layer in net.named_modules() if "parametrizations" not in name]  # these give weights
    hooks = [layer.register_forward_hook(note) for layer in layers]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return list(found.values())
