"""Codes of images, images of codes, and ways between codes."""

import numpy as np
import pytest

from genpipe.analyses._codes import starts
from genpipe.nn.batched_inference import decoded
from genpipe.nn.latent_space import PATHS, encoded, linear, of_prior, quantiles, spherical, way
from tests.analyses._toys import Bands, Coded, context


def test_codes_go_there_and_back() -> None:
    z = np.random.default_rng(0).uniform(-1, 1, (700, 2)).astype(np.float32)
    again = encoded(Coded(), decoded(Coded(), z))
    assert again.dtype == np.float32
    assert np.abs(again - z).max() < 0.02


def test_the_circle_keeps_the_length_and_the_angle_that_it_has_gone() -> None:
    a, b = np.array([2.0, 0.0]), np.array([0.0, 2.0])
    on_circle = way(spherical, a, b, 4)
    assert np.linalg.norm(on_circle, axis=1) == pytest.approx(2)
    assert np.rad2deg(np.arctan2(on_circle[:, 1], on_circle[:, 0])) == pytest.approx([0, 30, 60, 90])
    assert way(linear, a, b, 3)[1] == pytest.approx([1, 1])


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_a_way_begins_and_ends_at_its_codes_also_where_they_point_the_same_way(path) -> None:
    for a, b in (([1.0, 2.0, 0.5], [-1.0, 0.3, 4.0]), ([1.0, 1.0, 1.0], [2.0, 2.0, 2.0]), ([0.0] * 3, [1.0, 2.0, 3.0])):
        found = way(path, np.array(a), np.array(b), 5)
        assert found[[0, -1]] == pytest.approx(np.array([a, b]))
    assert way(path, np.ones(3), 2 * np.ones(3), 3)[1] == pytest.approx(1.5)


def test_quantiles_of_the_prior_are_those_of_the_normal_distribution() -> None:
    places = quantiles(of_prior(Bands(), 20_000, 0), 3, 0.025)
    assert places[:, 0] == pytest.approx([-1.96, 0, 1.96], abs=0.06)


def test_one_sets_out_from_held_out_images_or_from_the_prior() -> None:
    z, whose = starts(context(Coded()), 5)
    assert whose == "held-out images"
    assert (z == encoded(Coded(), context(Coded()).real.held_out.images[:5])).all()
    z, whose = starts(context(Bands()), 5)
    assert (whose, z.shape) == ("the prior", (5, 2))
    assert (z == of_prior(Bands(), 5, 0)).all()
