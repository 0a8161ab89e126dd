"""Densities of codes against clusters that are known."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from genpipe.analyses.code_density import CodeDensity, drawn_like
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import AnalysisContext
from genpipe.interfaces.extractors import FeatureSet
from tests.analyses._toys import Coded, context, seen


def clusters(n: int = 600) -> np.ndarray:
    """Codes at (2, 2) and (-2, -2), and how far from them is 0.1."""
    rng = np.random.default_rng(0)
    return rng.choice([-2.0, 2.0], (n, 1)) + 0.1 * rng.normal(size=(n, 2))


def test_one_gaussian_has_the_mean_and_the_covariance_of_the_codes() -> None:
    z = clusters()
    drawn = drawn_like(z, 1, 50_000, 0)
    np.testing.assert_allclose(drawn.mean(0), z.mean(0), atol=0.05)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(z.T), atol=0.1)


def test_a_mixture_finds_the_clusters_and_comes_in_random_order() -> None:
    drawn = drawn_like(clusters(), 2, 1000, 0)
    away = np.abs(np.abs(drawn) - 2)
    assert away.max() < 0.6
    assert 0.3 < (drawn[:500, 0] > 0).mean() < 0.7
    np.testing.assert_array_equal(drawn, drawn_like(clusters(), 2, 1000, 0))


def distances(asked: list[int]) -> Any:
    """A scorer that tells how far images are on average from the nearer of the clusters."""

    def score(images: FeatureSet, metrics: Sequence[str]) -> Mapping[str, float]:
        assert list(metrics) == ["fid"]
        asked.append(len(images.images))
        codes = np.arctanh(np.clip(images.images[:, 0, ::4, 0] / 127.5 - 1, -0.999, 0.999))
        return {"fid_toy": float(np.abs(np.abs(codes) - 1).mean())}

    return score


def clustered(asked: list[int]) -> AnalysisContext:
    made = context(Coded())
    bands = np.tanh(clusters(400) / 2)
    images = np.rint((np.repeat(bands, 4, axis=1) + 1) * 127.5).astype(np.uint8)
    training = seen(np.ascontiguousarray(np.broadcast_to(images[:, None, :, None], (400, 1, 8, 8))))
    return replace(made, real=replace(made.real, training=training), scorer=distances(asked))


def test_the_closer_the_density_the_better_its_images() -> None:
    asked: list[int] = []
    analysis = CodeDensity(CodeDensity.Config(components=2, samples=300, rows=2))
    found = analysis.run(clustered(asked))
    assert asked == [300, 300, 300]
    prior, gaussian, mixture = (found.numbers[f"fid_toy_of_{kind}"] for kind in ("prior", "gaussian", "mixture"))
    assert mixture < 0.1 < min(prior, gaussian)
    picture, told = found.pictures["code_density"]
    assert picture.shape == (62, 102, 1)
    assert told.endswith(f"fid_toy of 300 images each: {prior:.4g}, {gaussian:.4g}, {mixture:.4g}.")
    assert analysis.run(clustered(asked)).numbers == found.numbers


def test_more_components_than_images_are_refused() -> None:
    with pytest.raises(Unsuitable, match="400 images make no 500 components"):
        CodeDensity(CodeDensity.Config(components=500, samples=10)).run(clustered([]))
