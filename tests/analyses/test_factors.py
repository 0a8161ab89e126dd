"""Factors as numbers, and how they are read off images."""

import numpy as np
import pytest

from genpipe.analyses._factors import binned, columns, known, reader, restored
from genpipe.errors import Unsuitable
from tests.analyses._toys import Bands, context


def test_kinds_of_factors_become_columns_and_back() -> None:
    categories, numbers, places = (
        np.array([3, 1, 3]),
        np.array([0.5, 2.0, 1.0]),
        np.exp(1j * np.array([0.1, 3.0, -2.0])),
    )
    assert columns(categories).tolist() == [[0, 1], [1, 0], [0, 1]]
    assert columns(numbers).tolist() == [[0.5], [2.0], [1.0]]
    assert columns(places)[:, 0] == pytest.approx(places.real)
    for values in (categories, numbers, places):
        assert restored(columns(values), values) == pytest.approx(values)


def test_bins_are_equally_wide_and_categories_stay() -> None:
    assert binned(np.array([0.0, 0.24, 0.26, 0.9, 1.0]), 4).tolist() == [0, 0, 1, 3, 3]
    assert binned(np.array([7, 5, 7]), 2).tolist() == [1, 0, 1]
    assert binned(np.exp(1j * np.array([-3.0, -1.0, 1.0, 3.0])), 4).tolist() == [0, 1, 2, 3]


def test_a_factor_that_is_not_known_is_named() -> None:
    with pytest.raises(Unsuitable, match=r"no factor 'secnod' is known of these images\. Did you mean 'second'"):
        known(context(Bands()).real.training, ["secnod"])
    with pytest.raises(Unsuitable, match="no factors are known"):
        known(context(Bands(), factors=False).real.training)


def test_what_decided_an_image_is_read_off_it() -> None:
    of = context(Bands())
    reading = reader(of)
    assert min(reading.r2[name] for name in ("first", "second", "turn")) > 0.99
    held_out = of.real.held_out
    assert np.abs(reading.read(held_out.images)["second"][:, 0] - held_out.factors["second"]).mean() < 0.02
    high = restored(reading.read(held_out.images)["high"], held_out.factors["high"])
    assert (high == held_out.factors["high"]).mean() > 0.97


def test_noise_cannot_be_read() -> None:
    of = context(Bands())
    for evidence, seed in ((of.real.training, 0), (of.real.held_out, 1)):
        evidence.factors["first"][:] = np.random.default_rng(seed).random(400)
    assert reader(of).r2["first"] < 0.1
