"""Arithmetic and directions of codes, of models whose codes are known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from genpipe.analyses.arithmetic import Arithmetic
from genpipe.analyses.latent_direction import LatentDirection
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import Analysis, AnalysisResult
from genpipe.interfaces.extractors import Real
from genpipe.interfaces.generative import Generative
from tests.analyses._toys import SIDE, Bands, Coded, context


def run(kind: type[Analysis], model: Generative, factors: bool = True, **knobs: Any) -> AnalysisResult:
    return kind(kind.Config(**knobs)).run(context(model, factors=factors))


@pytest.mark.parametrize("factor", [None, "high"])
def test_the_class_changes_as_the_means_say(factor: str | None) -> None:
    numbers = run(Arithmetic, Coded(), factor=factor, averaged=20, trials=100).numbers
    assert numbers["arithmetic_accuracy"] > 0.8
    assert numbers["arithmetic_accuracy_decoded"] > 0.95


def test_what_is_no_part_of_the_sum_stays() -> None:
    found = run(Arithmetic, Coded(), averaged=150, trials=10, shown=10)
    picture = found.pictures["arithmetic"][0]
    third, fourth = (picture[2 + k * (SIDE + 2) : (k + 1) * (SIDE + 2), 2:, 0].astype(int) for k in (2, 3))
    assert np.abs(third[-1] - fourth[-1]).max() < 25, "the lower band says nothing of the class"
    assert np.abs(third[0] - fourth[0]).max() > 60


def test_a_model_that_encodes_nothing_adds_codes_of_what_it_draws() -> None:
    found = run(Arithmetic, Bands(), averaged=20, trials=100)
    assert found.numbers["arithmetic_accuracy"] > 0.8
    assert set(found.numbers) == {"arithmetic_accuracy"}, "its codes show what they show by definition"
    assert "codes of samples, the class as read off them" in found.pictures["arithmetic"][1]


class Same(Bands):
    def decode(self, z: Tensor) -> Tensor:
        return torch.ones(len(z), 1, SIDE, SIDE)


@pytest.mark.parametrize(
    ("kind", "knobs", "why"),
    [
        (Arithmetic, {"averaged": 20}, "arithmetic: 1 of 2 values of class have over 20 examples, and two are needed."),
        (LatentDirection, {}, "latent_direction: no example shows one of the two ends of class."),
    ],
)
def test_samples_that_are_all_alike_are_shown_as_such(kind: type[Analysis], knobs: dict[str, int], why: str) -> None:
    found = run(kind, Same(), shown=6, **knobs)
    ((picture, told),) = found.pictures.values()
    assert found.numbers == {}
    assert told == f"Samples too alike for {why}"
    assert picture.shape[1] == 6 * (SIDE + 2) + 2


@pytest.mark.parametrize(("factor", "axis"), [(None, 0), ("high", 0), ("first", 0), ("second", 1), ("turn", 1)])
@pytest.mark.parametrize("model", [Coded(), Bands()], ids=["coded", "drawn"])
def test_a_factor_rises_along_its_direction(model: Generative, factor: str | None, axis: int) -> None:
    found = run(LatentDirection, model, factor=factor, starts=20, shown=2, images=5, reach=0.5)
    least = 0.4 if factor == "high" else 0.9  # a category as it is read stands still away from the border
    assert found.numbers["latent_direction_rank_correlation"] > least
    picture = found.pictures["latent_direction"][0]
    first = picture[2 : 2 + SIDE, 2:, 0].astype(int)
    line = first[(0, -1)[axis], SIDE // 2 :: SIDE + 2]
    assert (np.diff(line) > 0).all()


def test_a_direction_backwards_is_the_other_way() -> None:
    there, back = (
        run(LatentDirection, Coded(), ends=ends, starts=10).pictures["latent_direction"][1] for ends in ([0, 1], [1, 0])
    )
    assert there != back
    picture = run(LatentDirection, Coded(), ends=[1, 0], starts=5, images=5).pictures["latent_direction"][0]
    assert (np.diff(picture[4, 2 + SIDE // 2 :: SIDE + 2, 0].astype(int)) < 0).all()


def test_a_direction_without_meaning_is_followed_by_nothing() -> None:
    of = context(Coded())
    rng = np.random.default_rng(0)
    shuffled = replace(of.real.training, labels=rng.permutation(of.real.training.labels))
    of = replace(of, real=Real(shuffled, of.real.held_out))
    found = LatentDirection(LatentDirection.Config(starts=50, reach=0.02)).run(of)
    assert abs(found.numbers["latent_direction_rank_correlation"]) < 1
    assert found.pictures["latent_direction_seen"][0].shape[2] == 3


@pytest.mark.parametrize("kind", [Arithmetic, LatentDirection])
def test_what_is_not_known_is_refused(kind: type[Analysis]) -> None:
    with pytest.raises(Unsuitable, match="no factors are known"):
        run(kind, Coded(), factors=False, factor="first")
    unlabeled = context(Coded())
    nothing = replace(unlabeled.real.training, labels=None)
    with pytest.raises(Unsuitable, match="classes are not known"):
        kind(kind.Config()).run(replace(unlabeled, real=Real(nothing, nothing)))


def test_numbers_are_no_categories() -> None:
    with pytest.raises(Unsuitable, match="second has no two categories"):
        run(Arithmetic, Coded(), factor="second")
    with pytest.raises(Unsuitable, match=r"class has no value 7; `ends` are two of \[0, 1\]"):
        run(LatentDirection, Coded(), ends=[0, 7])
    with pytest.raises(Unsuitable, match="0 of 2 values of class have over 5000 examples"):
        run(Arithmetic, Coded(), averaged=5000)
