"""One loop that trains every system: each phase gets its turn, the rest of the weights frozen."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.utilities.seed import seed_everything
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from genpipe.data._batches import Batches
from genpipe.errors import NonFiniteLoss
from genpipe.interfaces import Phase, Trainable
from genpipe.training.checkpoints import Checkpoints, random_states, restore_random_states
from genpipe.training.knobs import Optim, Train
from genpipe.training.optimizers import optimizer

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
class Outcome:
    """A finished training: the curves, and how it went."""

    curves: list[Row]
    resumed_from_step: int
    images_per_sec: float


def fabric(precision: str) -> Fabric:
    """The device, a GPU where there is one, with its precision."""
    if precision == "auto":
        precision = "bf16-mixed" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "32-true"
    return Fabric(accelerator="auto", devices=1, precision=cast(Any, precision))


def seed(number: int) -> None:
    """Seeds every random generator."""
    seed_everything(number, verbose=False)


def fit(
    model: Trainable,
    batches: Batches,
    train: Train,
    optim: Mapping[str, Optim],
    *,
    device: Fabric,
    checkpoints: Checkpoints | None = None,
    watchers: Sequence[Callable[[Moment], None]] = (),
) -> Outcome:
    """Trains a model in place; at the end it holds the averaged weights, if averaging is asked for.

    Resumes from the newest checkpoint, and then ends with the same weights as if it had never stopped. Raises
    NonFiniteLoss at the first logging step after a loss became NaN or infinite.
    """
    model.to(device.device).to(memory_format=torch.channels_last)  # faster convolutions, and no change elsewhere
    run = _Run(model, batches, train, optim, device)
    if checkpoints and (state := checkpoints.newest()):
        run.load(state)
    first = run.step
    clock = _Clock(train.batch_size * run.batches_per_step)
    while run.step < train.steps:
        run.advance()
        if run.step % train.log_every_steps == 0 or run.step == train.steps:
            row = run.row(checkpoints)
            moment = Moment(run.step, train.steps, row, clock.images_per_sec(run.step - first))
            for watcher in watchers:
                watcher(moment)
        if checkpoints and run.step % train.checkpoint_every_steps == 0:
            checkpoints.write(run.step, run.state(checkpoints))
    speed = clock.images_per_sec(run.step - first)
    run.finish()
    return Outcome(run.curves, first, speed)


@dataclass
class _Clock:
    images_per_step: int
    start: float = field(default_factory=time.perf_counter)

    def images_per_sec(self, steps: int) -> float:
        return steps * self.images_per_step / max(time.perf_counter() - self.start, 1e-9)


class _Run:
    """A training under way: all that a checkpoint must hold."""

    def __init__(
        self, model: Trainable, batches: Batches, train: Train, optim: Mapping[str, Optim], device: Fabric
    ) -> None:
        self.model, self.batches, self.optim, self.device = model, batches, optim, device
        self.step = self.position = 0
        self.curves: list[Row] = []
        self.pending: dict[str, list[Tensor]] = {}
        self.phases = model.phases()
        self.batches_per_step = max((p.repeats for p in self.phases), default=1)
        self.optimizers: dict[str, Any] = {
            p.name: device.setup_optimizers(optimizer(p.module, optim[p.name])) for p in self.phases
        }
        self.average = None
        if train.average_halflife_images:
            decay = 0.5 ** (train.batch_size * self.batches_per_step / train.average_halflife_images)
            self.average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)

    def advance(self) -> None:
        """One step: every phase that is due takes its turns; turn k of each uses the step's k-th batch."""
        self.step += 1
        self.model.train()
        shared = [self.batches.batch(self.position + k) for k in range(self.batches_per_step)]
        self.position += self.batches_per_step
        for phase in self.phases:
            if self.step % phase.every == 0:
                self._freeze_all_but(phase)
                for batch in shared[: phase.repeats]:
                    self._turn(phase, batch)
        if self.average:
            self.average.update_parameters(self.model)

    def _turn(self, phase: Phase, batch: Any) -> None:
        moving = self.optimizers[phase.name]
        with self.device.autocast():
            loss, logs = phase.loss(batch)
        moving.zero_grad(set_to_none=True)
        self.device.backward(loss)
        if clip := self.optim[phase.name].clip_norm:
            self.device.clip_gradients(phase.module, moving, max_norm=clip, error_if_nonfinite=False)
        moving.step()
        for name, value in {**logs, "loss": loss.detach()}.items():
            self.pending.setdefault(f"{phase.name}/{name}", []).append(value)

    def _freeze_all_but(self, phase: Phase) -> None:
        if len(self.phases) > 1:
            self.model.requires_grad_(False)
            phase.module.requires_grad_(True)

    def row(self, checkpoints: Checkpoints | None) -> Row:
        """The means since the last row. Raises NonFiniteLoss."""
        values = self._fetched(checkpoints)
        self.pending.clear()
        row: Row = {"step": float(self.step), **{name: sum(v) / len(v) for name, v in values.items()}}
        self.curves.append(row)
        return row

    def _fetched(self, checkpoints: Checkpoints | None) -> dict[str, list[float]]:
        """What losses said since the last row, brought from the device. Raises NonFiniteLoss."""
        fetched = {}
        for name, tensors in self.pending.items():
            values = fetched[name] = torch.stack([t.float() for t in tensors]).tolist()
            bad = next((i for i, v in enumerate(values) if not isfinite(v)), None)
            if bad is not None and name.endswith("/loss"):
                raise self._broken(name.partition("/")[0], len(values) - bad, values[bad], checkpoints)
        return fetched

    def _broken(self, name: str, turns_ago: int, value: float, checkpoints: Checkpoints | None) -> NonFiniteLoss:
        phase = next(p for p in self.phases if p.name == name)
        step = self.step - (turns_ago - 1) // phase.repeats * phase.every
        kept = checkpoints.files() if checkpoints else []
        return NonFiniteLoss(name, step, value, str(kept[0]) if kept else None)

    def finish(self) -> None:
        """Takes over the averaged weights and lets the model fit what has a closed form."""
        self.model.requires_grad_(True)
        if self.average and self.step:
            self.model.load_state_dict(self.average.module.state_dict())
        self.model.eval()
        with torch.no_grad():
            self.model.finish(self.batches.in_order())

    def state(self, checkpoints: Checkpoints) -> dict[str, Any]:
        """All that decides how the training goes on. Raises NonFiniteLoss rather than keep a poisoned state."""
        return {
            "pending": self._fetched(checkpoints),
            "step": self.step,
            "position": self.position,
            "curves": self.curves,
            "model": self.model.state_dict(),
            "average": self.average.state_dict() if self.average else {},
            "optimizers": {name: o.state_dict() for name, o in self.optimizers.items()},
            "random": random_states(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Goes back to a state."""
        self.step, self.position, self.curves = state["step"], state["position"], state["curves"]
        device = self.model.device
        self.pending = {name: list(torch.tensor(values, device=device)) for name, values in state["pending"].items()}
        self.model.load_state_dict(state["model"])
        if self.average:
            self.average.load_state_dict(state["average"])
        for name, saved in state["optimizers"].items():
            self.optimizers[name].optimizer.load_state_dict(saved)
        restore_random_states(state["random"])
