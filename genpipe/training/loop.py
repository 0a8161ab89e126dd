"""The training loop of every model: each phase updates its weights while the rest are frozen."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.utilities.seed import seed_everything
from torch import Tensor

from genpipe.config.training import Optim, Train
from genpipe.dataset.batches import BatchLoader
from genpipe.errors import NonFiniteLoss, Stopped
from genpipe.interfaces.phases import Phase, Trainable
from genpipe.training.batchnorm import synchronize
from genpipe.training.callbacks import REWINDS, Outcome, Row, SampleHook, StepInfo, Throughput
from genpipe.training.checkpoints import (
    Checkpoints,
    fresh_random_states,
    random_states,
    restore_random_states,
    restore_transient,
    transient,
)
from genpipe.training.curve_logger import CurveLogger
from genpipe.training.devices import all_gather, any_signal, broadcast_weights, full_tensor, mean
from genpipe.training.ema import EMA, begins
from genpipe.training.numerics import numerics
from genpipe.training.optimizers import buffered, optimizer, step_if_finite
from genpipe.training.phase_step import PhaseStep, compile_steps
from genpipe.training.resuming import Training
from genpipe.training.schedules import changes, learning_rate
from genpipe.training.sharding import Sharded, shard_like, shard_optimizer

Stopping = AbstractContextManager[Callable[[], int]]
"""A context whose value tells which signal asked the training to stop; 0 is none."""


def seed(number: int) -> None:
    """Seeds every random generator."""
    seed_everything(number, verbose=False)


def fit(
    model: Trainable,
    batches: BatchLoader,
    train: Train,
    optim: Mapping[str, Optim],
    *,
    device: Fabric,
    checkpoints: Checkpoints | None = None,
    callbacks: Sequence[Callable[[StepInfo], None]] = (),
    stopping: Stopping | None = None,
    sample_hook: SampleHook | None = None,
) -> Outcome:
    """Trains a model in place; at the end it has the averaged weights if averaging is on.

    Resumes from the newest checkpoint, and then ends with the same weights as if it had never stopped. Raises
    NonFiniteLoss at the first logging step after a loss became NaN or infinite, unless the knobs say what else to do;
    Stopped, with a checkpoint written, after the step in which it was asked to stop.
    """
    with numerics(train, device.device), stopping or nullcontext(lambda: 0) as asked:
        return _fitted(_Run(model, batches, train, optim, device, checkpoints, sample_hook), callbacks, asked)


def _fitted(run: "_Run", callbacks: Sequence[Callable[[StepInfo], None]], asked: Callable[[], int]) -> Outcome:
    run.begin()
    first, steps = run.step, run.train.steps
    clock = Throughput(run.train.batch_size * run.batches_per_step, run.batches.waited_sec)
    while run.step < steps:
        run.advance()
        signal = any_signal(run.device, asked())
        try:
            if run.step % run.train.log_every_steps == 0 or run.step == steps:
                info = StepInfo(run.step, steps, run.row(), clock.images_per_sec(run.step - first))
                for callback in callbacks:
                    callback(info)
            run.keep(signal)
        except NonFiniteLoss as error:
            run.rewind(error)
        if signal:
            raise Stopped(run.step, steps, signal, kept=bool(run.checkpoints))
    speed, waited = clock.images_per_sec(run.step - first), clock.share(run.batches.waited_sec)
    run.finish()
    return Outcome(run.logger.curves, first, speed, waited)


class _Run:
    """A training under way: all that a checkpoint must hold."""

    def __init__(
        self,
        model: Trainable,
        batches: BatchLoader,
        train: Train,
        optim: Mapping[str, Optim],
        device: Fabric,
        checkpoints: Checkpoints | None,
        sample_hook: SampleHook | None,
    ) -> None:
        model.to(device.device).to(memory_format=torch.channels_last)  # faster convolutions, and no change elsewhere
        broadcast_weights(device, model)
        if device.world_size > 1 and train.sync_batchnorm:
            synchronize(model)
        self.sharded = Sharded(model, device) if device.world_size > 1 and train.strategy == "fsdp" else None
        self.model, self.batches, self.train, self.optim, self.device = model, batches, train, optim, device
        self.checkpoints, self.sample_hook = checkpoints, sample_hook
        self.step = self.position = self.rewinds = 0
        self.phases = model.phases()
        self.batches_per_step = max((p.repeats for p in self.phases), default=1)
        self.skips = train.on_nan == "skip"
        self.logger = CurveLogger(self.phases, train, device, checkpoints)
        self.optimizers = [self._optimizer(p) for p in self.phases]
        self.turns = [self._step_of(p) for p in self.phases]
        self.ema = None
        if train.ema_halflife_images:
            decay = 0.5 ** (train.batch_size * self.batches_per_step / train.ema_halflife_images)
            self.ema = EMA(model, decay, begins(model, self.phases, train.steps))

    def _optimizer(self, phase: Phase) -> Any:
        made = optimizer(phase.module, self.optim[phase.name])
        return self.device.setup_optimizers(buffered(made) if self.skips else made)

    def _step_of(self, phase: Phase) -> PhaseStep:
        if self.sharded:
            phase = replace(phase, loss=self.sharded.loss(phase.loss))
        return PhaseStep(phase, self.model, self.device, self.train.grad_accumulation_steps, in_place=not self.sharded)

    def begin(self) -> None:
        """What is done once before the first step: the training goes on where it was stopped, if it was."""
        if self.checkpoints and (state := self.checkpoints.newest(self._verify)):
            self.load(state)
        self.model.train()
        wanted = self.train.compile == "on" or (self.train.compile == "auto" and self.device.device.type == "cuda")
        if wanted and self.step < self.train.steps:
            compile_steps(self.turns, self.model, self.batches.batch(self.position))

    def advance(self) -> None:
        """One step: every phase that is due takes its turns; turn k of each uses the step's k-th batch."""
        self.model.on_step_start(self.step / self.train.steps)
        self.step += 1
        n = self.batches_per_step
        shared = [self.batches.batch(self.position + k, ahead=2 * n) for k in range(n)]
        self.position += self.batches_per_step
        for phase, turn, moving in zip(self.phases, self.turns, self.optimizers, strict=True):
            if phase.due(self.step, self.train.steps):
                turn.freeze()
                self._set_learning_rate(phase, moving)
                for batch in shared[: phase.repeats]:
                    self._turn(phase, turn, moving, batch)
        if self.ema:
            self.ema.update(self.step)

    def _turn(self, phase: Phase, turn: PhaseStep, moving: Any, batch: Any) -> None:
        before = [buffer.clone() for buffer in self.model.buffers()] if self.skips else []
        noted = turn.gradient(batch)
        if clip := self.optim[phase.name].grad_clip_norm:
            norm = self.device.clip_gradients(phase.module, moving, max_norm=clip, error_if_nonfinite=False)
            noted["grad_norm"] = full_tensor(cast(Tensor, norm))
        if self.skips:
            noted["loss"] = mean(self.device, noted["loss"])  # all processes leave out the same turns
            noted = step_if_finite(moving, phase.module, noted, zip(self.model.buffers(), before, strict=True))
        else:
            moving.step()
        self.logger.add(phase.name, noted)

    def _set_learning_rate(self, phase: Phase, moving: Any) -> None:
        knobs = self.optim[phase.name]
        if changes(knobs):
            begin, end = phase.window(self.train.steps)
            for group in moving.param_groups:
                group["lr"] = learning_rate(knobs, self.step - 1 - begin, end - begin)

    def row(self) -> Row:
        """The next row of the curves. Raises NonFiniteLoss."""
        return self.logger.row(self.step, **({"rewinds": float(self.rewinds)} if self.rewinds else {}))

    def finish(self) -> None:
        """Takes over the averaged weights and lets the model fit what has a closed form."""
        self.model.requires_grad_(True)
        if self.ema and self.step:
            self.model.load_state_dict(self.ema.state_dict())
        if self.sharded:
            self.sharded.join()
        self.model.eval()
        with torch.no_grad():
            self.model.on_train_end(self.batches.in_order())

    def state(self) -> dict[str, Any]:
        """All that decides how the training goes on. Raises NonFiniteLoss rather than keep a poisoned state."""
        state = {
            "pending": self.logger.fetched(self.step),
            "step": self.step,
            "position": self.position,
            "curves": self.logger.curves,
            "model": self.model.state_dict(),
            "transient": all_gather(self.device, {n: buffer.cpu() for n, buffer in transient(self.model).items()}),
            "average": self.ema.state_dict() if self.ema else {},
            "optimizers": [o.state_dict() for o in self.optimizers],
            "random": all_gather(self.device, random_states()),
            "rewinds": self.rewinds,
            "scaler": self.device._precision.state_dict(),
        }
        return self.sharded.full_state(state) if self.sharded else state

    def keep(self, signal: int) -> None:
        """Shows the model and writes a checkpoint where that is due; of several processes the first does.

        Raises NonFiniteLoss.
        """
        if self.sample_hook and self.step % self.sample_hook.every_steps == 0:
            self.logger.fetched(self.step)  # a loss that is not finite is said before its images are
            with (
                self.ema.applied() if self.ema else nullcontext(),
                self.sharded.full_weights() if self.sharded else nullcontext(),
            ):
                if self.device.is_global_zero:
                    self.sample_hook.at(self.step, self.model)
        if self.checkpoints and (signal or self.step % self.train.checkpoint_every_steps == 0):
            state = self.state()
            if self.device.is_global_zero:
                self.checkpoints.write(self.step, state)

    def _verify(self, state: Any) -> None:
        """Raises CheckpointError if the training cannot go on from a state."""
        optimizers = [
            (made.optimizer, self.optim[p.name]) for made, p in zip(self.optimizers, self.phases, strict=True)
        ]
        averaged = self.ema.state_dict() if self.ema else {}
        Training(
            self.phases, self.train.steps, self.batches_per_step, self.model.state_dict(), transient(self.model),
            averaged, optimizers, self.device._precision.state_dict(),
        ).verify(state)  # fmt: skip

    def load(self, state: dict[str, Any]) -> None:
        """Goes back to a state."""
        self.step, self.position, self.rewinds = state["step"], state["position"], state["rewinds"]
        self.device._precision.load_state_dict(state["scaler"])
        self.logger.restore(state["curves"], state["pending"], self.model.device)
        self.model.load_state_dict(shard_like(self.model.state_dict(), state["model"]))
        if self.ema:
            self.ema.load_state_dict(shard_like(self.ema.state_dict(), state["average"]))
        for made, saved in zip(self.optimizers, state["optimizers"], strict=True):
            made.optimizer.load_state_dict(shard_optimizer(made.optimizer, saved))
            if saved["state"]:
                buffered(made.optimizer)
        rank = self.device.global_rank
        if rank < len(state["random"]):  # or else the training has more processes now, and this one is new
            restore_random_states(state["random"][rank])
            restore_transient(self.model, state["transient"][rank])

    def rewind(self, error: NonFiniteLoss) -> None:
        """Goes back to the newest checkpoint, and on with other random numbers and the images that come next.

        Raises the error if that is not wanted, or has not helped, or there is no checkpoint. Going on with later
        images is how PaLM was trained past its spikes (Chowdhery et al. 2022, arXiv:2204.02311, section 5.1).
        """
        wanted = self.train.on_nan == "rewind" and self.rewinds < REWINDS
        state = self.checkpoints.newest(self._verify) if self.checkpoints and wanted else None
        if state is None:
            raise error
        self.load({**state, "position": self.position, "rewinds": self.rewinds + 1})
        fresh_random_states(self.batches.seed, self.rewinds, self.device.global_rank)
