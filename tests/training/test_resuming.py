"""A training goes on from a state that is its own, and from no other: whatever a checkpoint holds, nothing breaks."""

import copy
import hashlib
import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from genpipe.config.training import Optim, Train
from genpipe.dataset.batches import BatchLoader
from genpipe.errors import CheckpointError, GenpipeError
from genpipe.interfaces.phases import Batch, Phase, Trainable
from genpipe.training.callbacks import Outcome
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.devices import fabric
from genpipe.training.loop import fit, seed
from tests.fuzzing import cases

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 1, 4, 4), dtype=np.uint8)
ODD = (None, True, -1, 0, 1, 2, 10**9, 10**30, 0.5, float("nan"), float("inf"), "", "x", [], {}, (), [0.5], {0: 1})
TENSORS = (torch.zeros(()), torch.zeros(16, 2), torch.zeros(3, dtype=torch.uint8), torch.full((2,), float("nan")))
HUGE = torch.zeros(1).expand(10**6, 10**6)


class Net(Trainable):
    """A small net with random numbers in its loss."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(16, 2), nn.BatchNorm1d(2))

    def phases(self) -> list[Phase]:
        return [Phase("only", self, self.loss)]

    def loss(self, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        noise = torch.randn(()) + np.random.rand()  # type checks of these tests draw from Python's own generator
        return (self.net(batch.x) - noise).square().mean(), {}


def run(folder: Path | None, algorithm: Any = "adam", steps: int = 6) -> tuple[Net, Outcome]:
    seed(0)
    model, device = Net(), fabric("32-true")
    batches = BatchLoader(IMAGES, None, size=8, seed=0, device=device.device)
    train = Train(steps=steps, batch_size=8, log_every_steps=4, checkpoint_every_steps=3, ema_halflife_images=50)
    kept = Checkpoints(folder) if folder else None
    return model, fit(model, batches, train, {"only": Optim(algorithm=algorithm)}, device=device, checkpoints=kept)


def weights(model: Net) -> list[list[float]]:
    return [value.flatten().tolist() for value in model.state_dict().values()]


def rewritten(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Changes what is in the newest checkpoint, and gives it the name of what is then in it."""
    newest = Checkpoints(folder).files()[0]
    state = torch.load(newest, weights_only=True)
    changed = change(state)
    newest.unlink()
    written(folder, int(newest.name[5:14]), state if changed is None else changed)


def written(folder: Path, step: int, state: Any) -> None:
    """Writes a checkpoint with the right name, whatever the state is."""
    content = io.BytesIO()
    torch.save(state, content)
    digest = hashlib.sha256(content.getvalue()).hexdigest()[:16]
    folder.mkdir(exist_ok=True)
    (folder / f"step-{step:09d}-{digest}.pt").write_bytes(content.getvalue())


WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no mapping": lambda s: [1],
    "missing key": lambda s: s.pop("position"),
    "other model": lambda s: s["model"].update({"net.1.weight": torch.zeros(3, 16)}),
    "other type": lambda s: s["average"].update({"net.1.weight": torch.zeros(2, 16, dtype=torch.float64)}),
    "other optimizer": lambda s: s["optimizers"][0]["param_groups"][0].pop("betas"),
    "forgetful optimizer": lambda s: s["optimizers"][0]["state"][0].pop("exp_avg"),
    "huge moments": lambda s: s["optimizers"][0]["state"][0].update({"exp_avg": HUGE}),
    "random bytes": lambda s: s["random"][0].update({"torch": torch.zeros(7, dtype=torch.uint8)}),
    "random place": lambda s: s["random"][0].update({"numpy": (*s["random"][0]["numpy"][:2], 10**9, 0, 0.0)}),
    "random number": lambda s: s["random"][0].update({"python": (3, (10**30,) * 625, None)}),
    "random type": lambda s: s.update({"random": {}}),
    "far position": lambda s: s.update({"position": 10**30}),
    "rows": lambda s: s["curves"][0].update({"step": float("nan")}),
    "nothing pending": lambda s: s["pending"].update({"only/loss": []}),
    "too much pending": lambda s: s["pending"].update({"only/loss": [float("nan")] * 9}),
}


def spoilt(state: dict[str, Any], wrong: str) -> Any:
    """None if the state was changed in place, else what takes its place."""
    changed = WRONG[wrong](state)
    return changed if wrong == "no mapping" else None


@pytest.mark.parametrize("wrong", WRONG)
def test_a_state_that_does_not_fit_is_passed_over_for_the_one_before(tmp_path: Path, wrong: str) -> None:
    whole, outcome = run(tmp_path)
    rewritten(tmp_path, lambda state: spoilt(state, wrong))
    with pytest.warns(UserWarning, match="step-000000006.* is passed over: it is no state of this training"):
        model, again = run(tmp_path)
    assert again.resumed_from_step == 3
    assert again.curves == outcome.curves
    assert weights(model) == weights(whole)


@pytest.mark.parametrize("wrong", ["other model", "random number"])
def test_if_none_fits_the_training_does_not_begin_and_is_then_as_if_it_had_never_tried(
    tmp_path: Path, wrong: str
) -> None:
    whole, _ = run(tmp_path)
    Checkpoints(tmp_path).files()[1].unlink()
    rewritten(tmp_path, lambda state: spoilt(state, wrong))
    with pytest.warns(UserWarning, match="passed over"), pytest.raises(CheckpointError, match="Delete the folder"):
        run(tmp_path)
    Checkpoints(tmp_path).clear()
    assert weights(run(tmp_path)[0]) == weights(whole)


@pytest.mark.parametrize("algorithm", ["adamw", "sgd", "rmsprop"])
def test_another_optimizer_is_told_from_ones_own(tmp_path: Path, algorithm: str) -> None:
    run(tmp_path, "adam")
    with pytest.warns(UserWarning, match=r"optimizers\.0\.param_groups"), pytest.raises(CheckpointError):
        run(tmp_path, algorithm)


def test_a_weight_without_momentum_begins_with_none(tmp_path: Path) -> None:
    def forget(state: dict[str, Any]) -> None:
        del state["optimizers"][0]["state"][1]

    run(tmp_path, "sgd")
    Checkpoints(tmp_path).files()[0].unlink()
    rewritten(tmp_path, forget)
    assert run(tmp_path, "sgd")[1].resumed_from_step == 3


def mutated(state: Any, rng: random.Random) -> Any:
    """A state with some values changed, left out or added, at any depth."""
    if rng.random() < 0.02:
        return rng.choice((*ODD, *TENSORS))
    for _ in range(rng.choice((1, 1, 2, 4))):
        path: list[tuple[Any, Any]] = []
        at = state
        while isinstance(at, dict | list) and at:
            key = rng.choice(list(at) if isinstance(at, dict) else range(len(at)))
            path.append((at, key))
            at = at[key]
        if path:
            change(*rng.choice(path), rng)
    return state


def change(at: Any, key: Any, rng: random.Random) -> None:
    value = at[key]
    match rng.randrange(6):
        case 0:
            del at[key]
        case 1 if isinstance(at, dict):
            at[rng.choice((key, "x", 7, f"{key}s"))] = rng.choice((value, *copy.deepcopy(ODD)))
        case 2 if isinstance(value, torch.Tensor) and 0 < value.numel() < 10**6:
            at[key] = rng.choice((value[..., :-1] if value.ndim else value[None], value.double(), value * float("nan")))
        case 3 if isinstance(value, tuple):
            at[key] = tuple(rng.choice(ODD) if rng.random() < 0.3 else one for one in value)
        case 4 if isinstance(value, int | float):
            at[key] = type(value)(value * rng.choice((-1, 2, 10)) + rng.choice((0, 1)))
        case _:
            at[key] = rng.choice((*copy.deepcopy(ODD), *TENSORS, HUGE))


@pytest.mark.filterwarnings("ignore")
def test_no_content_of_a_checkpoint_makes_more_than_one_error(tmp_path: Path) -> None:
    rng = random.Random(0)
    states = {}
    for algorithm in ("adam", "sgd", "rmsprop"):
        run(tmp_path / algorithm, algorithm)
        states[algorithm] = torch.load(Checkpoints(tmp_path / algorithm).files()[1], weights_only=True)
    for case in range(cases(60)):
        algorithm, folder = rng.choice(list(states)), tmp_path / str(case)
        written(folder, 3, mutated(copy.deepcopy(states[algorithm]), rng))
        try:
            model, _ = run(folder, algorithm, steps=5)
            assert len(weights(model)) == 7
        except GenpipeError:
            pass
        except BaseException as error:
            raise AssertionError(f"case {case} with {algorithm}") from error
        Checkpoints(folder).clear()
