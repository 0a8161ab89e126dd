"""One loop that trains every system: each phase gets its turn, the rest of the weights frozen."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.utilities.seed import seed_everything
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from genpipe.data._batches import Batches
from genpipe.errors import NonFiniteLoss, Stopped
from genpipe.interfaces import Phase, Trainable
from genpipe.training.checkpoints import Checkpoints, fresh_random_states, random_states, restore_random_states
from genpipe.training.knobs import Optim, Train
from genpipe.training.optimizers import optimizer, skipping, step_if_finite

REWINDS = 3
"""So often a training goes back to a checkpoint before it gives up."""
Stopping = AbstractContextManager[Callable[[], int]]
"""While it is entered, what it gave says which signal asked the training to stop; 0 is none."""
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
    stopping: Stopping | None = None,
) -> Outcome:
    """Trains a model in place; at the end it holds the averaged weights, if averaging is asked for.

    Resumes from the newest checkpoint, and then ends with the same weights as if it had never stopped. Raises
    NonFiniteLoss at the first logging step after a loss became NaN or infinite, unless the knobs say what else to do;
    Stopped, with a checkpoint written, after the step in which it was asked to stop.
    """
    model.to(device.device).to(memory_format=torch.channels_last)  # faster convolutions, and no change elsewhere
    run = _Run(model, batches, train, optim, device)
    if checkpoints and (state := checkpoints.newest()):
        run.load(state)
    first = run.step
    clock = _Clock(train.batch_size * run.batches_per_step)
    with stopping or nullcontext(lambda: 0) as asked:
        while run.step < train.steps:
            run.advance()
            signal = asked()
            try:
                if run.step % train.log_every_steps == 0 or run.step == train.steps:
                    row = run.row(checkpoints)
                    _tell(watchers, Moment(run.step, train.steps, row, clock.images_per_sec(run.step - first)))
                if checkpoints and (signal or run.step % train.checkpoint_every_steps == 0):
                    checkpoints.write(run.step, run.state(checkpoints))
            except NonFiniteLoss as error:
                run.rewind(checkpoints, error)
            if signal:
                raise Stopped(run.step, train.steps, signal, kept=bool(checkpoints))
    speed = clock.images_per_sec(run.step - first)
    run.finish()
    return Outcome(run.curves, first, speed)


def _tell(watchers: Sequence[Callable[[Moment], None]], moment: Moment) -> None:
    for watcher in watchers:
        watcher(moment)


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
        self.model, self.batches, self.train, self.optim, self.device = model, batches, train, optim, device
        self.step = self.position = self.rewinds = 0
        self.curves: list[Row] = []
        self.pending: dict[str, list[Tensor]] = {}
        self.phases = model.phases()
        self.batches_per_step = max((p.repeats for p in self.phases), default=1)
        self.skips, self.scaled = train.on_nan == "skip", hasattr(device._precision, "scaler")
        self.must_be_finite = {} if self.skips else {"loss": "the loss"}
        if not (self.skips or self.scaled):  # gradients of scaled losses overflow now and then
            self.must_be_finite["grad_norm"] = "the norm of the gradient"
        self.optimizers: dict[str, Any] = {}
        for phase in self.phases:
            made = optimizer(phase.module, optim[phase.name])
            self.optimizers[phase.name] = device.setup_optimizers(skipping(made) if self.skips else made)
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
        before = [buffer.clone() for buffer in self.model.buffers()] if self.skips else []
        with self.device.autocast():
            loss, logs = phase.loss(batch)
        moving.zero_grad(set_to_none=True)
        self.device.backward(loss)
        noted = {**logs, "loss": loss.detach()}
        if clip := self.optim[phase.name].clip_norm:
            norm = self.device.clip_gradients(phase.module, moving, max_norm=clip, error_if_nonfinite=False)
            noted["grad_norm"] = cast(Tensor, norm)
        if self.skips:
            noted = step_if_finite(moving, phase.module, noted, zip(self.model.buffers(), before, strict=True))
        else:
            moving.step()
        for name, value in noted.items():
            self.pending.setdefault(f"{phase.name}/{name}", []).append(value)

    def _freeze_all_but(self, phase: Phase) -> None:
        if len(self.phases) > 1:
            self.model.requires_grad_(False)
            phase.module.requires_grad_(True)

    def row(self, checkpoints: Checkpoints | None) -> Row:
        """The means since the last row, of the turns that were taken. Raises NonFiniteLoss."""
        row: Row = {"step": float(self.step)}
        for name, values in self._fetched(checkpoints).items():
            if counted := [v for v in values if isfinite(v)] if self.skips or self.scaled else values:
                row[name] = sum(counted) / len(counted)
        if self.rewinds:
            row["rewinds"] = float(self.rewinds)
        self.pending.clear()
        self.curves.append(row)
        return row

    def _fetched(self, checkpoints: Checkpoints | None) -> dict[str, list[float]]:
        """What losses said since the last row, brought from the device. Raises NonFiniteLoss."""
        fetched = {name: torch.stack([t.float() for t in tensors]).tolist() for name, tensors in self.pending.items()}
        if found := list(self._nonfinite(fetched)):
            step, phase, what, value = min(found, key=lambda one: one[0])
            kept = checkpoints.files() if checkpoints else []
            raise NonFiniteLoss(phase, step, what, value, str(kept[0]) if kept else None)
        return fetched

    def _nonfinite(self, fetched: Mapping[str, list[float]]) -> Iterator[tuple[int, str, str, float]]:
        """Step, phase, description and value of whatever should be finite and is not."""
        for phase in self.phases:
            for key, what in self.must_be_finite.items():
                values = fetched.get(f"{phase.name}/{key}", [])
                if (bad := next((i for i, v in enumerate(values) if not isfinite(v)), None)) is not None:
                    steps_ago = self.step % phase.every + (len(values) - 1 - bad) // phase.repeats * phase.every
                    yield self.step - steps_ago, phase.name, what, values[bad]
            if not isfinite(norm := float(torch.nn.utils.get_total_norm(phase.module.parameters()))):
                yield self.step, phase.name, "the norm of the weights", norm

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
            "rewinds": self.rewinds,
            "scaler": self.device._precision.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Goes back to a state."""
        self.step, self.position, self.curves = state["step"], state["position"], state["curves"]
        self.rewinds = state["rewinds"]
        self.device._precision.load_state_dict(state["scaler"])
        device = self.model.device
        self.pending = {name: list(torch.tensor(values, device=device)) for name, values in state["pending"].items()}
        self.model.load_state_dict(state["model"])
        if self.average:
            self.average.load_state_dict(state["average"])
        for name, saved in state["optimizers"].items():
            self.optimizers[name].optimizer.load_state_dict(saved)
        restore_random_states(state["random"])

    def rewind(self, checkpoints: Checkpoints | None, error: NonFiniteLoss) -> None:
        """Goes back to the newest checkpoint, and on with other random numbers and the images that come next.

        Raises the error if that is not wanted, or has not helped, or there is no checkpoint. Going on with later
        images is how PaLM was trained past its spikes (Chowdhery et al. 2022, arXiv:2204.02311, section 5.1).
        """
        wanted = checkpoints and self.train.on_nan == "rewind" and self.rewinds < REWINDS
        state = checkpoints.newest() if checkpoints and wanted else None
        if state is None:
            raise error
        self.load({**state, "position": self.position, "rewinds": self.rewinds + 1})
        fresh_random_states(self.batches.seed, self.rewinds)
