from typing import Any

import numpy as np
import pytest

from genpipe.analyses.duplicates import Duplicates, apart, closest


def share(make: Any, samples: np.ndarray, training: np.ndarray) -> float:
    context = make(samples, training, training[:10])
    return Duplicates(Duplicates.Config(images=300)).run(context).numbers["duplicate_share"]


def test_a_generator_of_few_images_repeats_itself_and_the_data_does_not(make: Any, random_images: Any) -> None:
    training = random_images(300, 0)
    assert share(make, random_images(300, 1), training) < 0.04
    few = random_images(30, 2)
    assert share(make, few[np.arange(300) % 30], training) == 1
    half = np.concatenate([random_images(150, 3), np.repeat(random_images(75, 4), 2, axis=0)])
    assert share(make, half, training) == pytest.approx(0.5, abs=0.03)


def test_an_image_is_not_its_own_neighbor(random_images: Any) -> None:
    images = random_images(20, 0)
    images[7] = images[3]
    images[12] = images[5]
    images[12, 0, 0, 0] ^= 1
    distances, partners = apart(images)
    assert (partners != np.arange(20)).all()
    assert (partners[3], partners[7], partners[5], partners[12]) == (7, 3, 12, 5)
    assert distances[[3, 7]].max() == pytest.approx(0, abs=0.1)
    assert distances[5] == pytest.approx(1, abs=0.1)
    assert closest(distances, partners, 2).tolist() == [[3, 7], [5, 12]]


def test_the_picture_has_the_pairs_in_columns(make: Any, random_images: Any) -> None:
    images = random_images(50, 0)
    images[9] = images[4]
    found = Duplicates(Duplicates.Config(images=100, shown=3)).run(make(images, random_images(50, 1), images[:5]))
    picture, told = found.pictures["duplicates"]
    assert picture.shape == (2 * 10 + 2, 3 * 10 + 2, 1)
    assert np.isin(images[4], picture).all()
    assert "50 samples" in told
