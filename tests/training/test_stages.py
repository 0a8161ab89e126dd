"""Phases that have their turns in a part of the training only, as a stacked or a growing model wants them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from genpipe.config.training import Optim, Train
from genpipe.dataset.batches import BatchLoader
from genpipe.errors import NonFiniteLoss, Stopped
from genpipe.interfaces.phases import Batch, Phase, Trainable
from genpipe.training.callbacks import Outcome
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.devices import fabric
from genpipe.training.loop import fit, seed

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 1, 4, 4), dtype=np.uint8)
STEPS = 12
PARTS = {"lower": (0.0, 0.25), "upper": (0.25, 0.5), "both": (0.5, 1.0)}


class Staged(Trainable):
    """Two layers, the first trained for 3 steps, the second for 3, both for 6; the first two phases share a name."""

    def __init__(self, poison_step: int = -1) -> None:
        super().__init__()
        self.lower, self.upper = nn.Sequential(nn.Flatten(), nn.Linear(16, 4), nn.Dropout(0.3)), nn.Linear(4, 1)
        self.turns: list[str] = []
        self.poison_step = poison_step

    def phases(self) -> list[Phase]:
        return [
            Phase("alone", self.lower, lambda b: self.loss(b, "lower"), during=PARTS["lower"], repeats=2),
            Phase("alone", self.upper, lambda b: self.loss(b, "upper"), during=PARTS["upper"], repeats=2),
            Phase("both", self, lambda b: self.loss(b, "both"), during=PARTS["both"], every=2),
        ]

    def loss(self, batch: Batch, stage: str) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        self.turns.append(stage)
        factor = float("nan") if len(self.turns) == self.poison_step else 1.0
        return factor * (self.upper(self.lower(batch.x)) - torch.randn(len(batch.x), 1)).square().mean(), {}


@contextmanager
def after(steps: int) -> Iterator[Callable[[], int]]:
    left = iter(range(steps - 1, -1, -1))
    yield lambda: 15 * (next(left, -1) == 0)


def run(folder: Path, leave_after: int = -1, **knobs: object) -> tuple[Staged, Outcome]:
    seed(3)
    model, device = Staged(), fabric("32-true")
    train = Train(steps=STEPS, batch_size=8, ema_halflife_images=30, log_every_steps=2, checkpoint_every_steps=100)
    optim = dict.fromkeys(("alone", "both"), Optim(lr=0.01, schedule="cosine", warmup_steps=1))
    batches = BatchLoader(IMAGES, None, size=8, seed=3, device=device.device)
    stopping = after(leave_after)
    return model, fit(model, batches, train, optim, device=device, checkpoints=Checkpoints(folder), stopping=stopping)


def test_each_phase_has_its_turns_in_its_part_alone(tmp_path: Path) -> None:
    model, outcome = run(tmp_path)
    assert model.turns == ["lower"] * 6 + ["upper"] * 6 + ["both"] * 3
    noted = [{name.split("/")[0] for name in row if "/" in name} for row in outcome.curves]
    assert noted == [{"alone"}] * 3 + [{"both"}] * 3


def test_a_phase_moves_its_own_weights_in_its_part(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        run(tmp_path, leave_after=3)
    seed(3)
    fresh = Staged().state_dict()
    state = Checkpoints(tmp_path).newest()
    assert state is not None
    moved = {name for name, weight in state["model"].items() if not torch.equal(weight, fresh[name])}
    assert moved == {"lower.1.weight", "lower.1.bias"}


@pytest.mark.parametrize("leave_after", range(1, STEPS))
def test_a_training_stopped_in_any_stage_ends_in_the_same_weights(tmp_path: Path, leave_after: int) -> None:
    whole, expected = run(tmp_path / "whole")
    with pytest.raises(Stopped):
        run(tmp_path / "stopped", leave_after)
    model, outcome = run(tmp_path / "stopped")
    assert outcome.resumed_from_step == leave_after
    assert outcome.curves == expected.curves
    assert all(torch.equal(weight, whole.state_dict()[name]) for name, weight in model.state_dict().items())


@pytest.mark.parametrize(
    ("turn", "phase", "step"), [(1, "alone", 1), (6, "alone", 3), (7, "alone", 4), (14, "both", 10)]
)
def test_a_loss_that_is_not_finite_is_told_with_its_step(tmp_path: Path, turn: int, phase: str, step: int) -> None:
    model, device = Staged(poison_step=turn), fabric("32-true")
    batches = BatchLoader(IMAGES, None, size=8, seed=3, device=device.device)
    train = Train(steps=STEPS, batch_size=8, log_every_steps=STEPS)
    with pytest.raises(NonFiniteLoss, match=f"^step {step}: the loss of phase '{phase}'"):
        fit(model, batches, train, dict.fromkeys(("alone", "both"), Optim()), device=device)


def test_parts_that_touch_leave_out_no_step_and_share_none() -> None:
    phases = [Phase("p", nn.Identity(), lambda b: None, during=(k / 7, (k + 1) / 7)) for k in range(7)]  # type: ignore
    for steps in range(30):
        assert all(sum(phase.due(step, steps) for phase in phases) == 1 for step in range(1, steps + 1))
    never = replace(phases[0], during=(0.0, 0.0))
    assert not any(never.due(step, 10) for step in range(1, 11))


def test_the_learning_rate_runs_its_whole_course_in_each_part(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    original = torch.optim.SGD.step

    def noting(self: torch.optim.SGD, *rest: object, **more: object) -> object:
        rates.append(self.param_groups[0]["lr"])
        return original(self, *rest, **more)

    monkeypatch.setattr(torch.optim.SGD, "step", noting)
    model, device = Staged(), fabric("32-true")
    optim = dict.fromkeys(("alone", "both"), Optim(algorithm="sgd", momentum=0.0, lr=0.1, schedule="linear"))
    batches = BatchLoader(IMAGES, None, size=8, seed=3, device=device.device)
    fit(model, batches, Train(steps=8, batch_size=8), optim, device=device)
    twice = [0.1, 0.1, 0.05, 0.05]
    assert rates == pytest.approx([*twice, *twice, 0.1 * 3 / 4, 0.1 / 4])


class Told(Staged):
    """Weights move as far as the training is."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[float] = []

    def on_step_start(self, done: float) -> None:
        assert not self.heard or done > self.heard[-1]
        self.heard.append(done)

    def loss(self, batch: Batch, stage: str) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        loss, logs = super().loss(batch, stage)
        return self.heard[-1] * loss, logs


@pytest.mark.parametrize("leave_after", [None, 1, 5, 11])
def test_a_model_is_told_before_every_step_how_far_the_training_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leave_after: int | None
) -> None:
    monkeypatch.setitem(globals(), "Staged", Told)
    model, _ = run(tmp_path / "whole")
    assert isinstance(model, Told)
    assert model.heard == [k / STEPS for k in range(STEPS)]
    if leave_after:
        with pytest.raises(Stopped):
            run(tmp_path / "stopped", leave_after)
        resumed, _ = run(tmp_path / "stopped")
        assert resumed.heard == model.heard[leave_after:]
        assert all(torch.equal(weight, model.state_dict()[name]) for name, weight in resumed.state_dict().items())
