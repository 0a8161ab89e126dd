"""Points against the density that is said of them."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from genpipe.data.mixture import Mixture
from genpipe.dataset.inspecting import inspect_source
from genpipe.dataset.preparing import prepare
from genpipe.dataset.working import Target
from genpipe.errors import DataError


def source(**knobs: object) -> Mixture:
    return Mixture(Mixture.Config(**knobs), Path())  # type: ignore[arg-type]


def points(mixture: Mixture, count: int) -> np.ndarray:
    return np.concatenate([chunk.fields["point"] for chunk in mixture.collection(0).read(np.arange(count))])


@pytest.mark.parametrize(("layout", "dimensions"), [("line", 1), ("ring", 2), ("grid", 2)])
def test_the_density_is_one_in_all_and_that_of_the_points(layout: str, dimensions: int) -> None:
    mixture = source(layout=layout, components=5, deviation=0.07)
    axis = (np.arange(200) + 0.5) / 100 - 1
    grid = np.stack(np.meshgrid(*[axis] * dimensions, indexing="ij"), -1).reshape(-1, dimensions)
    mass = mixture.density(grid) * 0.01**dimensions
    assert mass.sum() == pytest.approx(1, abs=1e-4)
    found = points(mixture, 20_000)
    assert found.shape == (20_000, dimensions)
    halves = grid[:, 0] < -0.3
    assert (found[:, 0] < -0.3).mean() == pytest.approx(mass[halves].sum(), abs=0.01)
    assert found.mean(0) == pytest.approx((grid * mass[:, None]).sum(0), abs=0.01)
    assert found.var(0) == pytest.approx((np.square(grid) * mass[:, None]).sum(0) - found.mean(0) ** 2, abs=0.01)


def test_a_point_is_a_pixel_and_its_component_its_class(tmp_path: Path) -> None:
    mixture = source(components=8, deviation=0.02, images=800, test_images=80)
    prepared = prepare(mixture, image_size=1, resize_mode="crop", seed=3, folder=tmp_path / "data")
    assert prepared.spec.shape == (2, 1, 1)
    assert len(prepared.images("test")) == 80
    images, labels = prepared.images("train"), prepared.labels("train")
    assert labels is not None
    at = images[:, :, 0, 0] / 127.5 - 1
    assert np.abs(at - prepared.field("train", "point")).max() <= 1 / 255 + 1e-9
    assert (np.square(at[:, None] - mixture.means).sum(2).argmin(1) == labels).all()


def test_the_same_seed_gives_the_same_points() -> None:
    assert (points(source(), 100) == points(source(), 100)).all()


def test_a_look_shows_two_channels_as_red_and_green() -> None:
    found = inspect_source(source(images=100, test_images=10), Target(1, 2), images=9)
    assert found.sheet.shape[2] == 3
    assert found.broken == []


def test_points_that_would_lie_outside_are_refused() -> None:
    with pytest.raises(ValidationError, match="between -1 and 1"):
        source(deviation=0.1)


def test_other_channels_than_its_own_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2 channels cannot be made 3"):
        prepare(
            source(images=100, test_images=10),
            image_size=1,
            resize_mode="crop",
            seed=0,
            folder=tmp_path / "data",
            channels=3,
        )
