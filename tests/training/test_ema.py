import pytest
from torch import nn

from genpipe.interfaces.phases import Batch, Logs, Phase, Scalar
from genpipe.training.ema import EMA, begins

DECAY = 0.9


def averaged(first: int, values: list[float]) -> float:
    """The average of a weight that takes these values after steps 1, 2, …, and learns after step `first`."""
    model = nn.Linear(1, 1, bias=False)
    average = EMA(model, DECAY, {"weight": first})
    for step, value in enumerate(values, start=1):
        nn.init.constant_(model.weight, value)
        average.update(step)
    return average.state_dict()["weight"].item()


def test_each_step_counts_decay_times_as_much_as_the_next() -> None:
    shares = [DECAY**3, DECAY**2, DECAY, 1.0]
    expected = sum(share * value for share, value in zip(shares, [5.0, 1.0, -2.0, 7.0], strict=True)) / sum(shares)
    assert averaged(0, [5.0, 1.0, -2.0, 7.0]) == pytest.approx(expected, abs=1e-5)


def test_what_a_weight_was_before_it_learns_counts_nothing() -> None:
    assert averaged(2, [1e6, -1e6, 3.0, 5.0]) == pytest.approx((DECAY * 3 + 5) / (DECAY + 1), abs=1e-5)
    assert averaged(4, [1.0, 2.0, 3.0, 4.0]) == 4.0


def test_tensors_begin_with_the_first_phase_that_has_them() -> None:
    def loss(batch: Batch) -> tuple[Scalar, Logs]:
        raise AssertionError

    model = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1), nn.Linear(1, 1))
    phases = [Phase("late", model[1:], loss, during=(0.5, 1.0)), Phase("first", model[2], loss, during=(0.25, 0.5))]
    found = begins(model, phases, 100)
    assert {name: found.get(name) for name in ("0.weight", "1.running_var", "1.weight", "2.weight")} == {
        "0.weight": None, "1.running_var": 50, "1.weight": 50, "2.weight": 25,
    }  # fmt: skip
