from math import sqrt

import pytest

from genpipe.config.document import parse
from genpipe.config.training import Optim, Train
from genpipe.config.validation import examined
from genpipe.training.schedules import changes, learning_rate


def rates(steps: int, **knobs: object) -> list[float]:
    """The learning rate of every step, and the one after the last."""
    optim = Optim(lr=2.0, **knobs)
    return [learning_rate(optim, done, steps) for done in range(steps + 1)]


def test_linear_falls_evenly_and_ends_at_0() -> None:
    assert rates(4, schedule="linear") == [2.0, 1.5, 1.0, 0.5, 0.0]


def test_cosine_is_half_a_wave() -> None:
    assert rates(4, schedule="cosine") == pytest.approx([2.0, 1 + sqrt(0.5), 1.0, 1 - sqrt(0.5), 0.0])


def test_step_falls_after_the_steps_that_are_named() -> None:
    falls = rates(5, schedule="step", decay_at_steps=[2, 4], decay_factor=0.5)
    assert falls == [2.0, 2.0, 1.0, 1.0, 0.5, 0.5]


def test_the_warm_up_comes_first_and_the_schedule_takes_the_rest() -> None:
    assert rates(6, schedule="linear", warmup_steps=2) == [1.0, 2.0, 2.0, 1.5, 1.0, 0.5, 0.0]
    assert rates(4, warmup_steps=4) == [0.5, 1.0, 1.5, 2.0, 2.0]


def test_a_warm_up_longer_than_the_training_is_no_error() -> None:
    assert rates(2, schedule="cosine", warmup_steps=4) == [0.5, 1.0, 1.5]


def test_only_a_constant_rate_without_warm_up_never_changes() -> None:
    assert not changes(Optim())
    assert changes(Optim(warmup_steps=1))
    assert changes(Optim(schedule="cosine"))


@pytest.mark.parametrize(
    ("schema", "text", "message"),
    [
        (Optim, "schedule: step", "need each other"),
        (Optim, "decay_at_steps: [3]", "need each other"),
        (Train, "{steps: 1, batch_size: 10, grad_accumulation_steps: 3}", "10 is none of 3"),
        (Train, "{steps: 1, devices: 0}", "should be 'auto' or a whole number from 1, but 0 is given"),
        (Train, "{steps: 1, strategy: fsdp, precision: 16-mixed}", "does not go with `precision: 16-mixed`"),
        (Train, "{steps: 1, strategy: tpu}", "should be 'auto', 'ddp' or 'fsdp'"),
    ],
)
def test_knobs_that_contradict_each_other_are_refused_in_words(schema: type, text: str, message: str) -> None:
    document = parse(text)
    (problem,) = examined(schema, document.value, (), document)[1]
    assert message in problem.message
    assert problem.line == 1
