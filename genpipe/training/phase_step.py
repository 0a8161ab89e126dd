"""One phase's step up to its gradient: other weights frozen, the batch in parts, the loss compiled if possible."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from genpipe.interfaces.phases import Batch, Phase
from genpipe.interfaces.tensors import Logs, Scalar
from genpipe.training.checkpoints import random_states, restore_random_states, restore_transient, transient
from genpipe.training.devices import average_gradients

_OPTIONS: dict[str, Any] = {"fallback_random": True}
"""Compiled losses draw the random numbers that they draw uncompiled."""
Loss = Callable[[Batch], tuple[Scalar, Logs]]


class PhaseStep:
    """Computes the gradient of one phase; with `in_place` weights keep their memory, as CUDA graphs need."""

    def __init__(
        self, phase: Phase, model: nn.Module, device: Fabric, grad_accumulation_steps: int = 1, in_place: bool = True
    ) -> None:
        self.name, self.loss, self.device, self.grad_accumulation_steps = (
            phase.name,
            phase.loss,
            device,
            grad_accumulation_steps,
        )
        self.in_place = in_place
        self.moved = list(phase.module.parameters())
        mine = set(self.moved)
        self.frozen = [weight for weight in model.parameters() if weight not in mine]

    def freeze(self) -> None:
        """Makes only the weights of the phase trainable, and drops the other gradients."""
        for weight in self.frozen:
            weight.requires_grad, weight.grad = False, None
        for weight in self.moved:
            weight.requires_grad = True

    def gradient(self, batch: Batch) -> dict[str, Tensor]:
        """Computes the gradients of the phase's weights; returns the loss and its logs, detached."""
        for weight in self.moved:
            weight.grad = None
        noted = [self._backward(self.loss, part) for part in parts(batch, self.grad_accumulation_steps)]
        average_gradients(self.device, self.moved)
        return noted[0] if len(noted) == 1 else {k: torch.stack([n[k] for n in noted]).mean() for k in noted[0]}

    def _backward(self, loss: Loss, batch: Batch) -> dict[str, Tensor]:
        with self.device.autocast():
            value, logs = loss(batch)
        self.device.backward(value if self.grad_accumulation_steps == 1 else value / self.grad_accumulation_steps)
        return {**logs, "loss": value.detach()}

    def compile(self, model: nn.Module, batch: Batch) -> None:
        """Compiles the loss and tests it without lasting effects. Raises whatever PyTorch raises."""
        graphs = self.device.device.type == "cuda" and self.grad_accumulation_steps == 1 and self.in_place
        loss = _replayed(self.loss) if graphs else torch.compile(self.loss, dynamic=False, options=_OPTIONS)
        self.freeze()
        with _untouched(model):
            self._backward(loss, parts(batch, self.grad_accumulation_steps)[0])
        self.loss = loss


def parts(batch: Batch, count: int) -> Sequence[Batch]:
    """Returns a batch cut into a number of equal parts."""
    if count == 1:
        return [batch]
    y = [None] * count if batch.y is None else batch.y.chunk(count)
    fields = {name: values.chunk(count) for name, values in batch.fields.items()}
    each = ({name: values[k] for name, values in fields.items()} for k in range(count))
    return [Batch(*row) for row in zip(batch.x.chunk(count), y, each, strict=True)]


def compile_steps(turns: Sequence[PhaseStep], model: nn.Module, batch: Batch) -> None:
    """Compiles the losses of all phases; one warning names those that could not be compiled."""
    failed = []
    for turn in turns:
        try:
            turn.compile(model, batch)
        except Exception as error:  # of any part of the compiler; an error of the loss itself comes again without it
            failed.append(f"{turn.name} ({type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]})")
    if failed:
        warnings.warn(f"trained without torch.compile: {', '.join(failed)}.", stacklevel=2)


def _replayed(loss: Loss) -> Loss:
    """A loss compiled into CUDA graphs, whose results must be copied before the next call overwrites them."""
    compiled = torch.compile(loss, dynamic=False, options={**_OPTIONS, "triton.cudagraphs": True})

    def call(batch: Batch) -> tuple[Scalar, Logs]:
        torch.compiler.cudagraph_mark_step_begin()
        value, logs = compiled(batch)
        return value.clone(), {name: log.clone() for name, log in logs.items()}

    return call


@contextmanager
def _untouched(model: nn.Module) -> Iterator[None]:
    """Puts back weights, buffers and random generators, and drops gradients, when the block ends."""
    states, kept = random_states(), {name: tensor.clone() for name, tensor in model.state_dict().items()}
    before = {name: buffer.clone() for name, buffer in transient(model).items()}
    try:
        yield
    finally:
        model.load_state_dict(kept)
        restore_transient(model, before)
        restore_random_states(states)
        for weight in model.parameters():
            weight.grad = None
