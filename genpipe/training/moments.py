"""What is told of a training while it goes on; light, for whoever only listens."""

from dataclasses import dataclass

Row = dict[str, float]
"""Means of losses and logs since the last row, with the step."""


@dataclass(frozen=True)
class Moment:
    """What a watcher is told on logging steps."""

    step: int
    steps: int
    row: Row
    images_per_sec: float
