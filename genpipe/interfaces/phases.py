"""The interface of trainable models: batches, phases, and hooks."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

import torch
from torch import Tensor, nn

from genpipe.interfaces.spec import Kinds
from genpipe.interfaces.tensors import Images, Labels, Logs, Scalar


@dataclass(frozen=True)
class Batch:
    """Training images with their labels and other fields."""

    x: Images
    y: Labels | None = None
    fields: Mapping[str, Tensor] = field(default_factory=dict)
    """The fields that the model asks for, by name.

    image and frames: float32 in [-1, 1] [b (t) c h w]; label_map: int64 [b h w]; mask: float32, 0 or 1 [b 1 h w];
    tokens: int64 [b length]; attributes: float32, 0 or 1 [b k]; class: int64 [b]; number: as the source has it.
    """


@dataclass(frozen=True)
class Phase:
    """One optimizer's part of a step: the weights that it updates, and their loss.

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
        """Returns the steps after which the phase begins and ends, for a training of this many steps."""
        begin, end = self.during
        return round(begin * steps), round(end * steps)

    def due(self, step: int, steps: int) -> bool:
        """Returns whether it takes part in this step, counted from 1, of all `steps`."""
        begin, end = self.window(steps)
        return begin < step <= end and step % self.every == 0


class Trainable(nn.Module, ABC):
    """Anything that `fit` can train."""

    fields: Mapping[str, Kinds] = {}
    """The fields that it needs besides the label, by their names in the data: of which kind, or of which kinds one."""
    group_by: str | None = None
    """The field by which images are grouped: images with equal values stay together when shuffled."""
    balance_by: str | None = None
    """The field by which images alternate in a batch: one with a zero row, then one without."""

    @abstractmethod
    def phases(self) -> list[Phase]:
        """Returns the phases of one step, in order; none for a model that `on_train_end` fits in closed form."""

    def on_step_start(self, progress: float) -> None:
        """Runs before every step with the finished share of the training, from 0 to below 1."""

    def on_train_end(self, batches: Iterable[Batch]) -> None:
        """Runs once after the last step with one pass over the training images in order."""

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return next(chain(self.parameters(), self.buffers())).device
