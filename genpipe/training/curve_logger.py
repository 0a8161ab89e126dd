"""Losses and gradients, kept on the device until the next row of the curves."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from genpipe.config.training import Train
from genpipe.errors import NonFiniteLoss
from genpipe.interfaces.phases import Phase
from genpipe.training.callbacks import NONFINITE, Row
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.devices import mean
from genpipe.training.optimizers import total_norm


class CurveLogger:
    """The values logged since the last row, and the rows."""

    def __init__(
        self, phases: Sequence[Phase], train: Train, device: Fabric, checkpoints: Checkpoints | None = None
    ) -> None:
        self.phases, self.device, self.checkpoints = phases, device, checkpoints
        self.curves: list[Row] = []
        self._steps = train.steps
        self._pending: dict[str, list[Tensor]] = {}
        skips, scaled = train.on_nan == "skip", hasattr(device._precision, "scaler")
        self._may_overflow = ("/grad_norm",) if scaled else ()  # gradients of scaled losses do so now and then
        self._must_be_finite = {} if skips else {"loss": "the loss"}
        if not (skips or scaled):
            self._must_be_finite["grad_norm"] = "the norm of the gradient"

    def add(self, phase: str, noted: Mapping[str, Tensor]) -> None:
        """Logs the values of one update."""
        for name, value in noted.items():
            self._pending.setdefault(f"{phase}/{name}", []).append(value)

    def row(self, step: int, **more: float) -> Row:
        """Returns the means since the last row, over the updates that took place. Raises NonFiniteLoss.

        A log that is NaN or infinite in some turns is the mean of the others, and the row says in how many.
        """
        row: Row = {"step": float(step)}
        fetched = self.fetched(step)
        for name, values in fetched.items():
            finite = [v for v in values if isfinite(v)]
            skipped = sum(fetched.get(f"{name.partition('/')[0]}/skipped_share", ()))
            if finite:
                row[name] = sum(finite) / len(finite)
            if not name.endswith(self._may_overflow) and (nonfinite := len(values) - len(finite) - skipped) > 0:
                row[f"{name}{NONFINITE}"] = nonfinite / len(values)
        row |= more
        self._pending.clear()
        self.curves.append(row)
        return row

    def fetched(self, step: int) -> dict[str, list[float]]:
        """Returns the values logged since the last row, moved from the device. Raises NonFiniteLoss."""
        together = {name: torch.stack([t.float() for t in tensors]) for name, tensors in self._pending.items()}
        fetched = {name: mean(self.device, values).tolist() for name, values in together.items()}
        if found := list(self._nonfinite(fetched, step)):
            at, phase, what, value = min(found, key=lambda one: one[0])
            kept = self.checkpoints.files() if self.checkpoints else []
            raise NonFiniteLoss(phase, at, what, value, str(kept[0]) if kept else None)
        return fetched

    def restore(self, curves: list[Row], fetched: Mapping[str, Any], device: torch.device) -> None:
        """Restores the state of an earlier `fetched`."""
        self.curves = curves
        self._pending = {name: list(torch.tensor(values, device=device)) for name, values in fetched.items()}

    def _nonfinite(self, fetched: Mapping[str, list[float]], step: int) -> Iterator[tuple[int, str, str, float]]:
        """Step, phase, description and value of whatever should be finite and is not."""
        for phase in self.phases:
            for key, what in self._must_be_finite.items():
                values = fetched.get(f"{phase.name}/{key}", [])
                if (bad := next((i for i, v in enumerate(values) if not isfinite(v)), None)) is not None:
                    since = int(self.curves[-1]["step"]) if self.curves else 0
                    mine = [other for other in self.phases if other.name == phase.name]
                    taken = steps_taken(mine, range(since + 1, step + 1), self._steps)
                    yield taken[bad], phase.name, what, values[bad]
            if not isfinite(norm := float(total_norm(phase.module.parameters()))):
                yield step, phase.name, "the norm of the weights", norm


def steps_taken(phases: Iterable[Phase], of: range, steps: int) -> list[int]:
    """Returns the step of every update of the phases within a range of steps, in order."""
    return [step for step in of for phase in phases if phase.due(step, steps) for _ in range(phase.repeats)]
