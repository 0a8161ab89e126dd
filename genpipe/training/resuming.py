"""Checks whether a training can resume from a state, before the training is changed."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from genpipe.config.training import Optim
from genpipe.errors import CheckpointError, shortened
from genpipe.interfaces.phases import Phase
from genpipe.training.callbacks import REWINDS
from genpipe.training.checkpoints import put_random_states, random_states
from genpipe.training.curve_logger import steps_taken
from genpipe.training.optimizers import optimizer

Found = Iterator[str]
"""What is wrong with a state, and where."""


@dataclass(frozen=True)
class Training:
    """The training that a state has to fit."""

    phases: Sequence[Phase]
    steps: int
    batches_per_step: int
    tensors: Mapping[str, Tensor]
    """Of the model."""
    transient: Mapping[str, Tensor]
    """Of the model too, and of each process its own."""
    averaged: Mapping[str, Tensor]
    optimizers: Sequence[tuple[Optimizer, Optim]]
    scaler: Mapping[str, Any]

    def verify(self, state: Any) -> None:
        """Raises CheckpointError with the first difference of a state."""
        try:
            wrong = next(self._wrong(state), None)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            wrong = f"{type(error).__name__} {error}"
        if wrong:
            raise CheckpointError(f"it is no state of this training: {wrong}")

    def _wrong(self, state: Mapping[str, Any]) -> Found:
        yield from self._counted(state)
        yield from self._noted(state["curves"], state["pending"], state["step"])
        yield from unlike(state["model"], self.tensors, "model")
        yield from unlike(state["transient"], [self.transient] * len(state["random"]), "transient")
        yield from unlike(state["average"], self.averaged, "average")
        yield from unlike(state["scaler"], self.scaler, "scaler")
        if len(_listed(state["optimizers"], "optimizers")) != len(self.optimizers):
            yield f"optimizers has {len(state['optimizers'])} entries, and {len(self.optimizers)} are needed"
        for number, (made, knobs) in enumerate(self.optimizers):
            yield from _of_optimizer(state["optimizers"][number], made, knobs, f"optimizers.{number}")
        yield from (one for states in _listed(state["random"], "random") for one in _of_random(states))

    def _counted(self, state: Mapping[str, Any]) -> Found:
        batches = self.batches_per_step
        position = batches * self.steps * (REWINDS + 1)
        for name, most in (("step", self.steps), ("position", position), ("rewinds", REWINDS)):
            if type(state[name]) is not int or not 0 <= state[name] <= most:
                yield f"{name} is no number from 0 to {most}"

    def _noted(self, curves: Any, pending: Any, step: int) -> Found:
        since = 0
        for row in _listed(curves, "curves"):
            if not all(type(name) is str and type(value) is float for name, value in row.items()):
                yield "curves: a row is no mapping of names to numbers"
            if not (since < row["step"] <= step and row["step"].is_integer()):
                yield "curves: the steps of the rows do not rise"
            since = int(row["step"])
        for name, values in pending.items():
            mine = [phase for phase in self.phases if phase.name == name.partition("/")[0]]
            taken = len(steps_taken(mine, range(since + 1, step + 1), self.steps))
            if not (all(type(value) is float for value in _listed(values, "pending")) and 0 < len(values) <= taken):
                yield f"pending.{name} is no list of 1 to {taken} numbers"


def unlike(found: Any, like: Any, at: str) -> Found:
    """Returns where a value differs in structure from another: types, keys, lengths; types and shapes of tensors."""
    if _made(found) != _made(like):
        yield f"{at} is {shortened(str(_made(found)))}, and {shortened(str(_made(like)))} is needed"
        return
    keys = range(len(like)) if isinstance(like, list | tuple) else like if isinstance(like, Mapping) else ()
    for key in keys:
        yield from unlike(found[key], like[key], f"{at}.{key}")


def _made(value: Any) -> str | set[Any]:
    if isinstance(value, Tensor):
        kind = "" if value.layout == torch.strided and not value.is_meta else "odd "
        return f"{kind}{value.dtype} {list(value.shape)}"
    if isinstance(value, Mapping):
        return set(value)
    return f"{type(value).__name__}{f' of {len(value)}' if isinstance(value, list | tuple) else ''}"


def _listed(value: Any, at: str) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{at} is no list")
    return value


def _of_optimizer(saved: Mapping[str, Any], made: Optimizer, knobs: Optim, at: str) -> Found:
    groups = made.state_dict()["param_groups"]
    yield from unlike(saved["param_groups"], groups, f"{at}.param_groups")
    for group, own in zip(saved["param_groups"], groups, strict=True):
        if not (isfinite(group["lr"]) and group["lr"] >= 0) or {**group, "lr": 0} != {**own, "lr": 0}:
            yield f"{at}.param_groups has other knobs"
    weights = [weight for group in made.param_groups for weight in group["params"]]
    for number, values in saved["state"].items():
        if type(number) is not int or not 0 <= number < len(weights):
            yield f"{at}.state has something of a weight {number}, of {len(weights)}"
        yield from unlike(values, remembered(knobs, weights[number]), f"{at}.state.{number}")


def remembered(knobs: Optim, weight: Tensor) -> dict[str, Any]:
    """Returns the structure of an optimizer's state for a weight after a step, without using memory."""
    small = nn.Parameter(torch.zeros(2))
    small.grad = torch.zeros(2)
    made = optimizer(nn.ParameterList([small]), knobs)
    made.step()
    large = torch.zeros((), dtype=weight.dtype).expand(weight.shape)
    alike = {
        name: isinstance(value, Tensor) and value.shape == small.shape for name, value in made.state[small].items()
    }
    return {name: large if alike[name] else value for name, value in made.state[small].items()}


def _of_random(states: Mapping[str, Any]) -> Found:
    """Wrong states of random generators are found by giving them to generators that nobody uses."""
    like = random_states()
    yield from unlike({**states, "cuda": [], "python": ()}, {**like, "cuda": [], "python": ()}, "random")
    version, numbers, spare = states["python"]
    yield from unlike((version, numbers), like["python"][:2], "random.python")
    if not (spare is None or type(spare) is float):
        yield "random.python has a spare number that is none"
    if not 0 <= states["numpy"][2] <= len(states["numpy"][1]):
        yield "random.numpy has no such place"
    for state in _listed(states["cuda"], "random.cuda"):
        if not isinstance(state, Tensor) or state.dtype != torch.uint8:
            yield "random.cuda is no list of bytes"
    try:
        of_torch, of_numpy = torch.Generator(), np.random.RandomState(0)
        put_random_states(states, of_torch.set_state, of_numpy.set_state, random.Random(0).setstate)
    except (RuntimeError, OverflowError) as error:
        yield f"random: {error}"
