"""What `fit` trains: batches, phases, and whatever has phases."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import ClassVar

import torch
from torch import Tensor, nn

from genpipe.interfaces.tensors import Images, Labels, Logs, Scalar


@dataclass(frozen=True)
class Batch:
    """Training images with what is known of each."""

    x: Images
    y: Labels | None = None
    fields: Mapping[str, Tensor] = field(default_factory=dict)
    """What else the model asked for, by name, a row an image."""


@dataclass(frozen=True)
class Phase:
    """One optimizer's turn: the weights that it moves and the loss that moves them.

    `name` is the key under `optim:` in the YAML. The weights of everything outside `module` are frozen during the turn.
    The turn comes at every `every`-th step, `repeats` times, each time with a batch of its own, and only in the part of
    the training that `during` gives, (0, 1) for the whole: so a model is trained in stages. Several phases may share a
    name, and with it their knobs and curves; each has an optimizer of its own.
    """

    name: str
    module: nn.Module
    loss: Callable[[Batch], tuple[Scalar, Logs]]
    every: int = 1
    repeats: int = 1
    during: tuple[float, float] = (0.0, 1.0)

    def window(self, steps: int) -> tuple[int, int]:
        """After how many of so many steps its part of the training begins, and after how many it is over."""
        begin, end = self.during
        return round(begin * steps), round(end * steps)

    def due(self, step: int, steps: int) -> bool:
        """Whether it has a turn in this step, counted from 1, of so many."""
        begin, end = self.window(steps)
        return begin < step <= end and step % self.every == 0


class Trainable(nn.Module, ABC):
    """Anything that `fit` can train."""

    fields: ClassVar[tuple[str, ...]] = ()
    """What it has to be told of each image besides the label, by the names that the source gives."""
    group_by: ClassVar[str | None] = None
    """The field in whose groups images are shuffled: those with equal values stay in a row."""
    balance_by: ClassVar[str | None] = None
    """The field by which images alternate in a batch: one whose row is zero, then one whose row is not."""

    @abstractmethod
    def phases(self) -> list[Phase]:
        """The turns of one step, in order; none for a model that is fitted in closed form by `on_train_end`."""

    def on_step_start(self, progress: float) -> None:
        """Called before every step with the share of the training that lies behind it, from 0 to below 1."""

    def on_train_end(self, batches: Iterable[Batch]) -> None:
        """Called once after the last step with one pass over the training images in order."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(chain(self.parameters(), self.buffers())).device
