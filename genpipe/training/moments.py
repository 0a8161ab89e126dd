"""What is told of a training while it goes on; light, for whoever only listens."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Row = dict[str, float]
"""Means of losses and logs since the last row, with the step."""


@dataclass(frozen=True)
class Moment:
    """What a watcher is told on logging steps."""

    step: int
    steps: int
    row: Row
    images_per_sec: float


@dataclass(frozen=True)
class Look:
    """Who looks at the model itself after every so many steps, with averaged weights where there is an average."""

    every_steps: int
    at: Callable[[int, Any], None]
    """Is given the step and the model."""
