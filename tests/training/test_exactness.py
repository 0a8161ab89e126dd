"""A training that is stopped anywhere goes on as if it had not been: every part of its state is compared.

Python's own generator alone is left to test_checkpoints.py: beartype, which looks at types here, draws from it.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from genpipe.config.training import Optim, Train
from genpipe.dataset.batches import BatchLoader
from genpipe.errors import Stopped
from genpipe.interfaces.phases import Batch, Phase, Trainable
from genpipe.training.callbacks import Outcome
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.devices import fabric
from genpipe.training.loop import fit, seed

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 1, 4, 4), dtype=np.uint8)
STEPS = 24


class Noisy(Trainable):
    """Two players with turns of their own, random numbers and running means."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16), nn.Dropout(0.2), nn.Linear(16, 1))
        self.second = nn.Sequential(nn.Flatten(), nn.Linear(16, 1))

    def phases(self) -> list[Phase]:
        return [
            Phase("first", self.first, lambda b: self.loss(self.first, b), repeats=2),
            Phase("second", self.second, lambda b: self.loss(self.second, b), every=3),
        ]

    def loss(self, module: nn.Module, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        target = torch.randn(len(batch.x), 1) + float(np.random.rand())
        return (module(batch.x) - target).square().mean(), {"target": target.mean()}


class Leave:
    """Asks the training to stop after so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self) -> int:
        self.left -= 1
        return 15 * (self.left == 0)


@contextmanager
def after(steps: int) -> Iterator[Callable[[], int]]:
    yield Leave(steps)


def run(folder: Path, algorithm: Any, leave_after: int = -1) -> tuple[Trainable, Outcome]:
    seed(3)
    model, device = Noisy(), fabric("32-true")
    train = Train(steps=STEPS, batch_size=8, ema_halflife_images=30, log_every_steps=5, checkpoint_every_steps=STEPS)
    optim = dict.fromkeys(
        ("first", "second"), Optim(algorithm=algorithm, lr=0.01, weight_decay=0.01, grad_clip_norm=1.0)
    )
    batches = BatchLoader(IMAGES, None, size=8, seed=3, device=device.device, horizontal_flip=True)
    checkpoints = Checkpoints(folder)
    return model, fit(
        model, batches, train, optim, device=device, checkpoints=checkpoints, stopping=after(leave_after)
    )  # fmt: skip


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a state, tensors as lists."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flat(item, f"{path}/{key}")
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from flat(item, f"{path}/{place}")
    else:
        yield path, value.tolist() if isinstance(value, torch.Tensor) else value


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("algorithm", ["adam", "adamw", "sgd", "rmsprop"])
def test_a_training_stopped_at_random_steps_ends_in_the_same_state(tmp_path: Path, algorithm: str, number: int) -> None:
    whole, expected = run(tmp_path / "whole", algorithm)
    draw, steps = random.Random(number), 0
    while steps < STEPS - 1:
        stay = draw.randint(1, 9)
        if steps + stay >= STEPS:
            break
        with pytest.raises(Stopped, match=f"stopped after step {steps + stay} of {STEPS}"):
            run(tmp_path / "stopped", algorithm, leave_after=stay)
        steps += stay
        np.random.rand(), torch.rand(1)
    model, outcome = run(tmp_path / "stopped", algorithm)
    assert outcome.resumed_from_step == steps > 0
    assert outcome.curves == expected.curves
    assert [row["step"] for row in outcome.curves] == [5, 10, 15, 20, 24]
    assert dict(flat(model.state_dict())) == dict(flat(whole.state_dict()))
    states = [dict(flat(Checkpoints(tmp_path / name).newest())) for name in ("stopped", "whole")]
    assert {path.split("/")[1] for path in states[0]} >= {
        "model",
        "average",
        "optimizers",
        "random",
        "position",
        "curves",
    }
    assert {k: v for k, v in states[0].items() if "python" not in k} == {
        k: v for k, v in states[1].items() if "python" not in k
    }


def test_a_stop_says_where_it_goes_on_and_which_signal_it_was(tmp_path: Path) -> None:
    with pytest.raises(Stopped) as caught:
        run(tmp_path, "adam", leave_after=7)
    assert caught.value.exit_status == 143
    assert str(caught.value) == "stopped after step 7 of 24. `dvc repro` goes on from step 7."
    assert [file.name[:14] for file in Checkpoints(tmp_path).files()] == ["step-000000007"]
