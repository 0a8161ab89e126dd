"""An exponential moving average of a model's weights and buffers."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from genpipe.interfaces.phases import Phase


class EMA:
    """An average in which each step has `decay` of the weight of the next; it moves all tensors in a few calls.

    All weights together are 1, as in Adam (Kingma & Ba 2015, arXiv:1412.6980, section 3): what a tensor was before its
    first step counts nothing, however short the training. `begins` has the steps after which tensors begin to learn, by
    name; until then they are copied. The model must keep its tensors where they are. Of tensors that are cut into
    parts, each process follows its own.
    """

    def __init__(self, model: nn.Module, decay: float, begins: Mapping[str, int]) -> None:
        self.decay = decay
        live = model.state_dict()
        self._kept = {name: tensor.clone() for name, tensor in live.items()}
        self._moving: dict[int, tuple[list[Tensor], list[Tensor]]] = {}
        for name, tensor in live.items():
            if tensor.is_floating_point():
                kept, moving = self._moving.setdefault(begins.get(name, 0), ([], []))
                kept.append(_mine(self._kept[name]))
                moving.append(_mine(tensor))
        self._counts = [(self._kept[n], tensor) for n, tensor in live.items() if not tensor.is_floating_point()]

    def update(self, step: int) -> None:
        """Updates the average after a step; steps count from 1."""
        for begin, (kept, live) in self._moving.items():
            torch._foreach_lerp_(kept, live, _share(self.decay, step - begin))
        for count, now in self._counts:
            count.copy_(now)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Puts the averaged tensors into the model while the block runs."""
        pairs = [*(pair for both in self._moving.values() for pair in zip(*both, strict=True)), *self._counts]
        before = [live.clone() for _, live in pairs]
        with torch.no_grad():
            for averaged, live in pairs:
                live.copy_(averaged)
            try:
                yield
            finally:
                for (_, live), own in zip(pairs, before, strict=True):
                    live.copy_(own)

    def state_dict(self) -> dict[str, Tensor]:
        """Returns the averaged tensors by their names in the model."""
        return self._kept

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restores the averaged tensors."""
        for name, tensor in self._kept.items():
            tensor.copy_(state[name])


def begins(model: nn.Module, phases: Iterable[Phase], steps: int) -> dict[str, int]:
    """Returns after which step the first phase of each tensor begins, by its name in the model."""
    first: dict[Tensor, int] = {}
    for phase in phases:
        begin, _ = phase.window(steps)
        for tensor in chain(phase.module.parameters(), phase.module.buffers()):
            first[tensor] = min(begin, first.get(tensor, begin))
    named = chain(model.named_parameters(remove_duplicate=False), model.named_buffers(remove_duplicate=False))
    return {name: first[tensor] for name, tensor in named if tensor in first}


def _share(decay: float, counted: int) -> float:
    """What the last of so many steps counts in their average."""
    return (1 - decay) / (1 - decay**counted) if counted > 1 else 1.0


@torch.no_grad()
def _mine(tensor: Tensor) -> Tensor:
    """What this process has of a tensor, in the same memory."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
