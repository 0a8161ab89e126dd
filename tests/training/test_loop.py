from time import sleep

import numpy as np
import pytest
import torch
from torch import nn

from genpipe.config.training import Optim, Train
from genpipe.dataset import batches
from genpipe.dataset.batches import BatchLoader
from genpipe.errors import NonFiniteLoss
from genpipe.interfaces.phases import Batch, Phase, Trainable
from genpipe.training.callbacks import Outcome, StepInfo
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.devices import fabric
from genpipe.training.loop import fit, seed

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 1, 4, 4), dtype=np.uint8)


class Two(Trainable):
    """Two weights and two phases that note their turns; the first draws random numbers."""

    def __init__(self, every: int = 1, repeats: int = 1, poison_step: int = -1) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(16, 1), nn.Linear(16, 1)
        self.every, self.repeats, self.poison_step = every, repeats, poison_step
        self.turns: list[tuple[str, torch.Tensor]] = []

    def phases(self) -> list[Phase]:
        return [
            Phase("first", self.first, lambda b: self.loss("first", b), repeats=self.repeats),
            Phase("second", self.second, lambda b: self.loss("second", b), every=self.every),
        ]

    def loss(self, name: str, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        self.turns.append((name, batch.x))
        noise = torch.randn(len(batch.x), 1)
        loss = (getattr(self, name)(batch.x.flatten(1)) - noise).square().mean()
        poisoned = name == "second" and sum(t[0] == name for t in self.turns) == self.poison_step
        return (loss * float("nan") if poisoned else loss), {"bias": getattr(self, name).bias.detach().mean()}


def run(model: Trainable, checkpoints: Checkpoints | None = None, **train: int) -> Outcome:
    device = fabric("32-true")
    knobs = Train(**{"steps": 6, "batch_size": 8, "log_every_steps": 2, **train})
    batches = BatchLoader(IMAGES, None, size=8, seed=0, device=device.device)
    optim = {"first": Optim(lr=0.1), "second": Optim(lr=0.1, algorithm="sgd")}
    return fit(model, batches, knobs, optim, device=device, checkpoints=checkpoints)


def fresh(**knobs: int) -> Two:
    seed(0)
    return Two(**knobs)


def test_phases_take_turns_and_share_a_step_s_batches() -> None:
    model = fresh(every=2, repeats=3)
    run(model)
    names = [name for name, _ in model.turns]
    assert names == ["first"] * 3 + (["first"] * 3 + ["second"]) * 1 + (["first"] * 6 + ["second"]) * 2
    turns = model.turns[3:7]
    assert torch.equal(turns[0][1], turns[3][1]), "the second phase uses the step's first batch"
    assert not torch.equal(turns[0][1], turns[1][1]), "every repeat has a batch of its own"


def test_curves_are_means_between_logging_steps() -> None:
    every_step = run(fresh(), log_every_steps=1).curves
    every_third = run(fresh(), log_every_steps=3).curves
    assert [row["step"] for row in every_third] == [3, 6]
    mean = np.mean([row["first/loss"] for row in every_step[:3]])
    assert every_third[0]["first/loss"] == pytest.approx(mean)
    assert set(every_third[0]) == {"step", "first/loss", "first/bias", "second/loss", "second/bias"}


def test_watchers_are_told_on_logging_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[StepInfo] = []
    device = fabric("32-true")
    batches = BatchLoader(IMAGES, None, size=8, seed=0, device=device.device)
    optim = {"first": Optim(), "second": Optim()}
    fit(
        fresh(), batches, Train(steps=5, batch_size=8, log_every_steps=2), optim, device=device, callbacks=[told.append]
    )
    assert [(m.step, m.steps) for m in told] == [(2, 5), (4, 5), (5, 5)]
    assert all(m.images_per_sec > 0 for m in told)


class Stop(Exception):
    """A kill."""


@pytest.mark.parametrize("average", [None, 50])
@pytest.mark.parametrize("stopped_after", [1, 2, 3, 5])
def test_a_stopped_training_goes_on_to_the_same_weights(tmp_path, stopped_after: int, average: int | None) -> None:
    knobs = {"steps": 6, "checkpoint_every_steps": 2, "log_every_steps": 3, "ema_halflife_images": average}
    whole = fresh()
    expected = run(whole, **knobs)

    def stop(info: StepInfo) -> None:
        if info.step >= stopped_after:
            raise Stop

    device, checkpoints = fabric("32-true"), Checkpoints(tmp_path)
    optim = {"first": Optim(lr=0.1), "second": Optim(lr=0.1, algorithm="sgd")}
    batches = BatchLoader(IMAGES, None, size=8, seed=0, device=device.device)
    with pytest.raises(Stop):
        fit(
            fresh(), batches, Train(batch_size=8, **knobs), optim,
            device=device, checkpoints=checkpoints, callbacks=[stop],
        )  # fmt: skip
    torch.manual_seed(99)
    resumed = Two()
    outcome = run(resumed, checkpoints, **knobs)
    assert outcome.resumed_from_step in (0, 2, 4)
    if outcome.resumed_from_step:
        for key, value in whole.state_dict().items():
            assert torch.equal(value, resumed.state_dict()[key])
        assert [r["step"] for r in outcome.curves] == sorted({r["step"] for r in outcome.curves})
        assert outcome.curves[-1] == expected.curves[-1]


def test_a_nan_names_the_step_the_phase_and_the_checkpoint(tmp_path) -> None:
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(NonFiniteLoss, match=r"step 5: the loss of phase 'second' is nan.*step-000000004") as caught:
        run(fresh(poison_step=5), checkpoints, steps=9, log_every_steps=9, checkpoint_every_steps=4)
    assert "optim.second.lr" in str(caught.value)
    assert len(checkpoints.files()) == 1, "no checkpoint is written after the poison"


def test_the_average_is_the_exponential_moving_average() -> None:
    raw = []
    for steps in range(1, 5):
        model = fresh()
        run(model, steps=steps)
        raw.append(model.first.weight.detach().clone())
    averaged = fresh()
    run(averaged, steps=4, ema_halflife_images=16)
    shares = [0.5 ** (8 / 16 * (3 - k)) for k in range(4)]
    expected = sum(share * weight for share, weight in zip(shares, raw, strict=True)) / sum(shares)
    torch.testing.assert_close(averaged.first.weight.detach(), expected)


def test_gradients_are_clipped_where_asked() -> None:
    model = fresh()
    before = model.first.weight.detach().clone()
    device = fabric("32-true")
    batches = BatchLoader(IMAGES, None, size=8, seed=0, device=device.device)
    optim = {"first": Optim(lr=1.0, algorithm="sgd", momentum=0.0, grad_clip_norm=1e-3), "second": Optim()}
    fit(model, batches, Train(steps=1, batch_size=8), optim, device=device)
    assert 0 < float((model.first.weight.detach() - before).norm()) <= 1.001e-3


class Slow(Two):
    """Takes its time."""

    def loss(self, name: str, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        sleep(0.05)
        return super().loss(name, batch)


def test_steps_hardly_wait_for_images_that_are_read_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch takes 50 ms to read and a step 100 ms: one after the other, a third of the time would go into waiting."""
    monkeypatch.setattr(batches, "_fits", lambda *_: False)
    raw = BatchLoader._raw
    monkeypatch.setattr(BatchLoader, "_raw", lambda *given: sleep(0.05) or raw(*given))
    assert run(Slow(), steps=16).data_wait_share < 0.1, "less than 0.03 on a machine that does nothing else"
