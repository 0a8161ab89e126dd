"""Information about a training while it runs. Light to import."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

REWINDS = 3
"""The number of times that a training goes back to a checkpoint before it gives up."""
Row = dict[str, float]
"""Means of losses and logs since the last row, with the step; all are finite."""
NONFINITE = "_nonfinite_share"
"""Suffix of a log's name: the share of updates in which it was NaN or infinite, if there are any."""


@dataclass(frozen=True)
class StepInfo:
    """The input of a callback on logging steps."""

    step: int
    steps: int
    row: Row
    images_per_sec: float


@dataclass(frozen=True)
class SampleHook:
    """A hook that gets the model at regular steps, with averaged weights if there are any."""

    every_steps: int
    at: Callable[[int, Any], None]
    """Called with the step and the model."""


@dataclass(frozen=True)
class Outcome:
    """A finished training: the curves, and how it went."""

    curves: list[Row]
    resumed_from_step: int
    images_per_sec: float
    data_wait_share: float
    """The share of the time in which steps waited for their images."""


@dataclass
class Throughput:
    """The speed of a training since its start."""

    images_per_step: int
    waited_before_sec: float
    start: float = field(default_factory=time.perf_counter)

    def images_per_sec(self, steps: int) -> float:
        """Returns the images per second over a number of steps."""
        return steps * self.images_per_step / self._passed_sec()

    def share(self, waited_sec: float) -> float:
        """Returns the share of the time that was spent on waiting."""
        return (waited_sec - self.waited_before_sec) / self._passed_sec()

    def _passed_sec(self) -> float:
        return max(time.perf_counter() - self.start, 1e-9)
