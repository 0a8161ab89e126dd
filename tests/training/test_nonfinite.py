"""What comes of a loss, a gradient or a weight that is NaN or infinite."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from genpipe.config.training import Optim, Train
from genpipe.dataset.batches import BatchLoader
from genpipe.errors import NonFiniteLoss
from genpipe.interfaces.phases import Batch, Phase, Trainable
from genpipe.training.callbacks import REWINDS, Outcome
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.devices import fabric
from genpipe.training.loop import fit, seed

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 1, 4, 4), dtype=np.uint8)


class Poisoned(Trainable):
    """Its loss, or its gradient alone, is not finite at the turns that are named; `drawn` notes what it saw."""

    def __init__(self, turns: Mapping[int, float], gradient: bool = False, width: int = 16) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(width), nn.Linear(width, 1))
        self.turns, self.gradient, self.turn = turns, gradient, 0
        self.drawn: list[tuple[float, float]] = []

    def phases(self) -> list[Phase]:
        return [Phase("only", self.net, self.loss)]

    def loss(self, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        self.turn += 1
        poison = self.turns.get(self.turn, 1.0)
        noise = torch.randn(())
        self.drawn.append((float(batch.x.sum()), float(noise)))
        x = batch.x if self.gradient else batch.x * poison
        loss = (self.net(x) - noise).square().mean()
        if self.gradient and poison != 1.0:
            loss.register_hook(lambda gradient: gradient * poison)
        return loss, {"noise": noise}


def run(model: Trainable, on_nan: Any, folder: Path | None = None, optim: Any = None, **train: Any) -> Outcome:
    device = fabric("32-true")
    knobs = Train(**{"steps": 6, "batch_size": 8, "log_every_steps": 2, "on_nan": on_nan, **train})
    batches = BatchLoader(IMAGES, None, size=8, seed=0, device=device.device)
    checkpoints = Checkpoints(folder) if folder else None
    return fit(model, batches, knobs, {"only": optim or Optim(lr=0.1)}, device=device, checkpoints=checkpoints)


def poisoned(*turns: int, by: float = float("nan"), **how: Any) -> Poisoned:
    seed(0)
    return Poisoned(dict.fromkeys(turns, by), **how)


NOT_FINITE = [float("nan"), float("inf")]


@pytest.mark.parametrize("by", NOT_FINITE)
def test_stop_names_a_loss_at_its_step(by: float) -> None:
    with pytest.raises(NonFiniteLoss, match="step 3: the loss of phase 'only' is nan"):
        run(poisoned(3, by=by), "stop")


@pytest.mark.parametrize("by", NOT_FINITE)
def test_stop_names_a_gradient_that_is_clipped_anyway(by: float) -> None:
    with pytest.raises(NonFiniteLoss, match=r"step 3: the norm of the gradient of phase 'only' is (nan|inf)"):
        run(poisoned(3, by=by, gradient=True), "stop", optim=Optim(lr=0.1, grad_clip_norm=1.0))


def test_no_checkpoint_and_no_model_holds_a_weight_that_is_not_finite(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLoss, match="step 4: the norm of the weights of phase 'only' is nan") as caught:
        run(poisoned(4, gradient=True), "stop", tmp_path, log_every_steps=100, checkpoint_every_steps=2)
    assert [file.name[:14] for file in Checkpoints(tmp_path).files()] == ["step-000000002"]
    assert "The last good checkpoint is" in str(caught.value)
    with pytest.raises(NonFiniteLoss, match="step 6: the norm of the weights"):
        run(poisoned(6, gradient=True), "stop")


class Moved:
    """The weights after every step."""

    def __init__(self, model: Poisoned) -> None:
        self.model = model
        self.seen: list[dict[str, torch.Tensor]] = []

    def __call__(self, _: object) -> None:
        self.seen.append({name: value.clone() for name, value in self.model.state_dict().items()})


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("grad_clip_norm", [None, 1.0])
@pytest.mark.parametrize("algorithm", ["adam", "adamw", "sgd", "rmsprop"])
@pytest.mark.parametrize("turn", [1, 3])
def test_skip_leaves_out_the_turn_and_nothing_else(
    algorithm: Any, grad_clip_norm: float | None, gradient: bool, turn: int
) -> None:
    """The same as a training that never had the turn: weights, buffers and what the optimizer remembers."""
    optim = Optim(algorithm=algorithm, lr=0.1, grad_clip_norm=grad_clip_norm)
    device = fabric("32-true")
    model = poisoned(turn, gradient=gradient)
    watch = Moved(model)
    batches = BatchLoader(IMAGES, None, size=8, seed=0, device=device.device)
    train = Train(steps=5, batch_size=8, log_every_steps=1, on_nan="skip")
    outcome = fit(model, batches, train, {"only": optim}, device=device, callbacks=[watch])
    seed(0)
    by_hand = Poisoned({})
    missing = Missing(IMAGES, None, size=8, seed=0, device=device.device)
    missing.left_out = turn - 1
    noise = [drawn[1] for place, drawn in enumerate(model.drawn, 1) if place != turn]
    by_hand.loss = replaying(by_hand, noise)  # type: ignore[method-assign]
    fit(by_hand, missing, Train(steps=4, batch_size=8, log_every_steps=1), {"only": optim}, device=device)
    for name, value in by_hand.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value)
    assert [row["only/skipped_share"] for row in outcome.curves] == [float(s == turn) for s in range(1, 6)]
    assert all(("only/loss" in row) == (row["step"] != turn) for row in outcome.curves)
    assert all(np.isfinite(value) for row in outcome.curves for value in row.values())


class Missing(BatchLoader):
    """The same batches without one."""

    left_out = -1

    def batch(self, number: int, ahead: int = 0) -> Batch:
        return super().batch(number + (number >= self.left_out), ahead)


def replaying(model: Poisoned, noise: list[float]) -> Any:
    left = iter(noise)
    return lambda batch: ((model.net(batch.x) - next(left)).square().mean(), {})


def test_skip_takes_the_mean_of_the_turns_that_were_taken() -> None:
    rows = run(poisoned(3), "skip", steps=4, log_every_steps=4).curves
    each = run(poisoned(3), "skip", steps=4, log_every_steps=1).curves
    taken = [row["only/loss"] for row in each if "only/loss" in row]
    assert len(taken) == 3
    assert rows[0]["only/loss"] == pytest.approx(np.mean(taken))
    assert rows[0]["only/skipped_share"] == 0.25


def test_skip_costs_nothing_where_it_is_not_chosen() -> None:
    assert set(run(poisoned(), "stop").curves[0]) == {"step", "only/loss", "only/noise"}


class Strange(Poisoned):
    """A log of it is not finite at the turns that are named; its loss is."""

    strange: Mapping[int, float]

    def loss(self, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        loss, _ = super().loss(batch)
        return loss, {"strange": torch.tensor(self.strange.get(self.turn, 2.0))}


@pytest.mark.parametrize("by", NOT_FINITE)
@pytest.mark.parametrize("on_nan", ["stop", "skip", "rewind"])
def test_a_log_that_is_not_finite_ends_nothing_and_is_counted(on_nan: Any, by: float) -> None:
    model = Strange({})
    model.strange = {3: by, 5: by, 6: by}
    rows = run(model, on_nan).curves
    assert all(np.isfinite(value) for row in rows for value in row.values())
    assert [row.get("only/strange") for row in rows] == [2.0, 2.0, None]
    assert [row.get("only/strange_nonfinite_share") for row in rows] == [None, 0.5, 1.0]


def test_a_turn_that_is_skipped_is_counted_as_that_alone() -> None:
    model = Strange({2: float("nan")})
    model.strange = {1: float("inf")}
    (row,) = run(model, "skip", steps=4, log_every_steps=4).curves
    assert (row["only/skipped_share"], row["only/strange_nonfinite_share"]) == (0.25, 0.25)
    assert not {"only/loss_nonfinite_share", "only/grad_norm_nonfinite_share"} & set(row)


def test_rewind_goes_back_to_the_checkpoint_and_on_with_later_images_and_other_noise(tmp_path: Path) -> None:
    model = poisoned(7)
    outcome = run(model, "rewind", tmp_path, steps=10, checkpoint_every_steps=4)
    assert [row["step"] for row in outcome.curves] == [2, 4, 6, 8, 10]
    assert [row.get("rewinds") for row in outcome.curves] == [None, None, 1, 1, 1]
    assert model.turn == 8 + 6, "step 8 noticed it, and from step 4 on it went once more"
    images, noise = zip(*model.drawn, strict=True)
    device = fabric("32-true").device
    batches = BatchLoader(IMAGES, None, size=8, seed=0, device=device)
    expected = [float(batches.batch(k).x.sum()) for k in range(14)]
    assert images[7:] == pytest.approx(expected[7:])
    assert not set(noise[4:8]) & set(noise[8:12])


def test_rewind_is_the_same_each_time_and_after_a_restart(tmp_path: Path) -> None:
    outcomes, weights = [], []
    for folder in ("one", "two"):
        model = poisoned(7)
        outcomes.append(run(model, "rewind", tmp_path / folder, steps=12, checkpoint_every_steps=4).curves)
        weights.append(model.net[2].weight.tolist())
    assert outcomes[0] == outcomes[1]
    assert weights[0] == weights[1]
    run(poisoned(7), "rewind", tmp_path / "three", steps=8, log_every_steps=8, checkpoint_every_steps=4)
    again = poisoned()
    state = Checkpoints(tmp_path / "three").newest()
    assert (state["step"], state["rewinds"], state["position"]) == (8, 1, 12)
    run(again, "rewind", tmp_path / "three", steps=12, checkpoint_every_steps=4)
    assert again.net[2].weight.tolist() == weights[0]


def test_rewind_gives_up(tmp_path: Path) -> None:
    model = poisoned(*range(5, 100))
    with pytest.raises(NonFiniteLoss, match="step 5"):
        run(model, "rewind", tmp_path, steps=20, checkpoint_every_steps=4)
    assert model.turn == 6 + 2 * REWINDS
    with pytest.raises(NonFiniteLoss, match="No checkpoint was written before"):
        run(poisoned(2), "rewind", tmp_path / "none", checkpoint_every_steps=4)
