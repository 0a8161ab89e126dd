import numpy as np
import pytest

from genpipe.extractors.pixels import averaging

from .conftest import Build, noise


def test_features_are_the_values_in_a_row(build: Build) -> None:
    images = noise(5, (3, 4, 6))
    seen = build("pixels", (3, 4, 6)).extract(images)
    assert seen.features.dtype == np.float32
    assert seen.probabilities is None
    np.testing.assert_array_equal(np.rint(seen.features * 255).reshape(images.shape), images)


def test_a_smaller_size_averages_blocks(build: Build) -> None:
    images = noise(1001, (1, 8, 8))
    blocks = images.reshape(1001, 4, 2, 4, 2).mean((2, 4)) / 255
    np.testing.assert_allclose(
        build("pixels", (1, 8, 8), size=4).extract(images).features, blocks.reshape(1001, 16), atol=1e-6
    )


@pytest.mark.parametrize(("size", "wanted"), [(7, 3), (32, 5), (6, 6), (5, 1)])
def test_every_pixel_counts_by_its_share_of_the_area(size: int, wanted: int) -> None:
    """Averaging down is averaging of an image that is first repeated so often that the sizes divide."""
    x = np.random.default_rng(0).uniform(size=size)
    np.testing.assert_allclose(averaging(size, wanted) @ x, x.repeat(wanted).reshape(wanted, size).mean(1), rtol=1e-6)


def test_nothing_is_enlarged_and_the_size_is_described(build: Build) -> None:
    assert build("pixels", (1, 8, 8), size=9).described()["resizer"] == "none"
    assert build("pixels", (1, 32, 32)).described()["resizer"] == "average of areas, to 16×16"
    assert build("pixels", (1, 24, 32)).described()["resizer"] == "average of areas, to 16×21"
    assert build("pixels", (1, 8, 8), size=4).described()["resizer"] == "average of areas, to 4×4"
    assert build("pixels", (1, 8, 8)).described()["resizer"] == "none"
