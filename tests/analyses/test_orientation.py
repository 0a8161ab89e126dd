from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from genpipe.analyses.orientation import FACTORS, Orientation, angles, nearest_by_cosine
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import AnalysisContext
from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.generative import Encodes, Generative
from genpipe.interfaces.tensors import Codes, Images


class Flat(Generative, Encodes):
    """The code of an image is its pixels."""

    class Config: ...

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.register_buffer("here", torch.zeros(1))

    def phases(self) -> list:
        return []

    def encode(self, x: Images) -> Codes:
        return (x + 1).flatten(1)


def random_quaternions(n: int, seed: int) -> np.ndarray:
    q = np.random.default_rng(seed).standard_normal((n, 4))
    return q / np.linalg.norm(q, axis=1, keepdims=True)


def test_the_angle_is_scipys_and_signs_do_not_matter() -> None:
    a, b = random_quaternions(40, 0), random_quaternions(40, 1)
    turned = Rotation.from_quat(a, scalar_first=True).inv() * Rotation.from_quat(b, scalar_first=True)
    np.testing.assert_allclose(angles(a, b), np.degrees(turned.magnitude()), atol=1e-6)
    np.testing.assert_allclose(angles(a, -b), angles(a, b))
    np.testing.assert_allclose(angles(a, -a), 0, atol=1e-5)


def test_the_nearest_is_by_direction_among_those_that_are_allowed() -> None:
    book = np.array([[1.0, 0.0], [0.0, 1.0], [10.0, 10.0]])
    queries = np.array([[5.0, 0.1], [0.1, 0.1], [0.1, 0.1]])
    allowed = np.array([[True, True, True], [True, True, True], [False, True, False]])
    assert nearest_by_cosine(queries, book, allowed).tolist() == [0, 2, 1]


def with_factors(evidence: FeatureSet, q: np.ndarray, labels: np.ndarray) -> FeatureSet:
    return replace(evidence, labels=labels, factors=dict(zip(FACTORS, q.T, strict=True)))


def test_a_view_is_found_again_in_its_class(make: Any, random_images: Any) -> None:
    images = random_images(60, 0)
    images[:, :, 0, 0] = 0
    q, labels = random_quaternions(60, 0), np.arange(60) % 2
    made = make(images, images, images[:20])
    real = Real(with_factors(made.real.training, q, labels), with_factors(made.real.held_out, q[:20], labels[:20]))
    context = AnalysisContext(Flat(), made.samples, real, 0)
    still = dict.fromkeys(("background", "light", "occlusion", "shift", "scale"), 0.0)
    found = Orientation(Orientation.Config(**still, images=4)).run(context)
    assert list(found.numbers.values()) == pytest.approx([0, 0, 0], abs=1e-4)
    assert found.pictures["orientation"][0].shape == (3 * 10 + 2, 4 * 10 + 2, 1)
    moved = Orientation(Orientation.Config(shift=0.5)).run(context).numbers
    assert moved["orientation_error_degrees"] > 30
    assert moved["orientation_error_clean_degrees"] == pytest.approx(0, abs=1e-4)
    wrong = replace(real.held_out, labels=1 - labels[:20])
    crossed = Orientation(Orientation.Config(**still)).run(replace(context, real=Real(real.training, wrong))).numbers
    assert crossed["orientation_error_clean_degrees"] >= crossed["orientation_least_error_degrees"] > 1


def test_without_known_orientations_it_is_refused(make: Any, random_images: Any) -> None:
    made = make(*(random_images(5, seed) for seed in range(3)))
    with pytest.raises(Unsuitable, match="qw is not known"):
        Orientation(Orientation.Config()).run(AnalysisContext(Flat(), made.samples, made.real, 0))
