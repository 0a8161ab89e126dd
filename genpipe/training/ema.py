"""An exponential moving average of a model's weights and buffers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor


class EMA:
    """Keeps `decay` of the average at each step and takes the rest from the model; copies the model at the first step.

    All tensors move in one call, which is what makes it cheap. The model must keep its tensors where they are. Of
    tensors that are cut into parts, each process follows its own.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        live = model.state_dict()
        self._kept = {name: tensor.clone() for name, tensor in live.items()}
        moving = [name for name, tensor in live.items() if tensor.is_floating_point()]
        self._live_moving, self._kept_moving = [_mine(live[n]) for n in moving], [_mine(self._kept[n]) for n in moving]
        self._counts = [(self._kept[n], live[n]) for n in live if n not in moving]

    def update(self, step: int) -> None:
        """Updates the average after a step; steps count from 1."""
        torch._foreach_lerp_(self._kept_moving, self._live_moving, 1.0 if step == 1 else 1 - self.decay)
        for kept, live in self._counts:
            kept.copy_(live)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Puts the averaged tensors into the model while the block runs."""
        live = [*self._live_moving, *(live for _, live in self._counts)]
        kept = [*self._kept_moving, *(kept for kept, _ in self._counts)]
        before = [tensor.clone() for tensor in live]
        with torch.no_grad():
            for tensor, averaged in zip(live, kept, strict=True):
                tensor.copy_(averaged)
            try:
                yield
            finally:
                for tensor, own in zip(live, before, strict=True):
                    tensor.copy_(own)

    def state_dict(self) -> dict[str, Tensor]:
        """Returns the averaged tensors by their names in the model."""
        return self._kept

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restores the averaged tensors."""
        for name, tensor in self._kept.items():
            tensor.copy_(state[name])


@torch.no_grad()
def _mine(tensor: Tensor) -> Tensor:
    """What this process has of a tensor, in the same memory."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
