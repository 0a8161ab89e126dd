"""What is told of a training while it goes on; light, for whoever only listens."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

REWINDS = 3
"""So often a training goes back to a checkpoint before it gives up."""
Row = dict[str, float]
"""Means of losses and logs since the last row, with the step; all are finite."""
NONFINITE = "_nonfinite_share"
"""After the name of a log: the share of the turns in which it was NaN or infinite, where there are any."""


@dataclass(frozen=True)
class StepInfo:
    """What a callback is told on logging steps."""

    step: int
    steps: int
    row: Row
    images_per_sec: float


@dataclass(frozen=True)
class SampleHook:
    """Who looks at the model itself after every so many steps, with averaged weights where there is an average."""

    every_steps: int
    at: Callable[[int, Any], None]
    """Is given the step and the model."""


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
    """How fast a training goes since it was started."""

    images_per_step: int
    waited_before_sec: float
    start: float = field(default_factory=time.perf_counter)

    def images_per_sec(self, steps: int) -> float:
        """Of so many steps."""
        return steps * self.images_per_step / self._passed_sec()

    def share(self, waited_sec: float) -> float:
        """The share of the time that was spent on waiting, of which so much is known in all."""
        return (waited_sec - self.waited_before_sec) / self._passed_sec()

    def _passed_sec(self) -> float:
        return max(time.perf_counter() - self.start, 1e-9)
