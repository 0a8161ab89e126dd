"""Walks, traversals, manifolds and embeddings, of models whose codes are known."""

from typing import Any

import numpy as np
import pytest
import torch

from genpipe.analyses._embedding import umap_of
from genpipe.analyses.interpolation import Interpolation
from genpipe.analyses.latent_embedding import LatentEmbedding
from genpipe.analyses.manifold import Manifold
from genpipe.analyses.traversal import Traversal
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import Analysis, AnalysisResult
from tests.analyses._toys import SIDE, Bands, Coded, context, rotation

GAP = 2


def run(kind: type[Analysis], of: Any, **knobs: Any) -> AnalysisResult:
    return kind(kind.Config(**knobs)).run(of)


def images(picture: np.ndarray, columns: int) -> np.ndarray:
    """The images of a grid [rows columns h w]."""
    step = SIDE + GAP
    rows = picture.shape[0] // step
    return np.array(
        [
            [picture[r * step + GAP : (r + 1) * step, c * step + GAP : (c + 1) * step, 0] for c in range(columns)]
            for r in range(rows)
        ]
    )


def test_a_traversal_shows_the_number_that_changes_most_first() -> None:
    weak = Bands(mixing=torch.diag(torch.tensor([0.2, 1.0])))
    found = run(Traversal, context(weak, factors=False), images=5)
    picture, caption = found.pictures["traversal"]
    assert "(numbers 1, 0)" in caption
    first, second = images(picture, 5)[:, :, [0, -1], 0].astype(int).swapaxes(1, 2)
    assert (np.diff(first[1]) > 0).all(), "the lower band brightens along the first row"
    assert np.ptp(first[0]) == 0, "and the upper one stays"
    assert (np.diff(second[0]) > 0).all()
    assert np.ptp(second[1]) == 0
    assert found.numbers == {}


def test_turning_a_number_moves_its_factor_and_no_other() -> None:
    for mixing, least, most in ((torch.eye(2), 0.9, 1.0), (rotation(45.0), 0.0, 0.2)):
        of = context(Coded(mixing=mixing))
        for evidence in (of.real.training, of.real.held_out):
            for name in ("high", "turn"):
                del evidence.factors[name]  # they say of the same bands again
        found = run(Traversal, of, starts=8)
        assert least <= found.numbers["traversal_disentanglement"] <= most
        assert least <= found.numbers["traversal_completeness"] <= most
        assert "traversal_factors" in found.pictures


def test_a_traversal_over_codes_needs_some() -> None:
    over_codes = run(Traversal, context(Coded(), factors=False), quantiles_of="codes", images=3).pictures["traversal"][
        0
    ]
    row = images(over_codes, 3)[0]
    assert row.max() < 245, "images are of bands within ±0.9, and so are codes; the prior reaches further"
    assert images(run(Traversal, context(Coded(), factors=False), images=3).pictures["traversal"][0], 3)[0].max() > 245
    with pytest.raises(Unsuitable, match="quantiles_of"):
        run(Traversal, context(Bands()), quantiles_of="codes")


def test_a_manifold_of_two_numbers_runs_over_the_prior() -> None:
    picture, caption = run(Manifold, context(Bands()), images=5).pictures["manifold"]
    bands = images(picture, 5)[:, :, [0, -1], 0].astype(int)
    assert (np.diff(bands[:, :, 0], axis=1) > 0).all(), "the first number rises to the right"
    assert (np.diff(bands[:, :, 1], axis=0) < 0).all(), "the second upwards"
    assert bands[2, 2] == pytest.approx(128, abs=4)
    assert "quantiles of the prior" in caption


def test_a_manifold_of_longer_codes_lies_in_the_plane_of_most_variance() -> None:
    found = run(Manifold, context(Coded(4)), images=5)
    picture, caption = found.pictures["manifold"]
    assert "with 100% of their variance" in caption, "the images have two bands"
    upper, lower = (images(picture, 5)[:, :, rows, 0].astype(int) for rows in ([0, 3], [4, 7]))
    assert np.abs(np.diff(upper)).max() < 12
    assert np.abs(np.diff(lower)).max() < 12
    with pytest.raises(Unsuitable, match="doesn't encode"):
        run(Manifold, context(Bands(4)))


def test_a_walk_begins_and_ends_at_held_out_images() -> None:
    of = context(Coded())
    found = run(Interpolation, of, pairs=2, images=4, frames=3, path_samples=50)
    rows = images(found.pictures["interpolation"][0], 4)
    assert len(rows) == 4, "a line and a circle each"
    for first, row in enumerate((0, 2)):
        for at, image in ((0, first), (-1, first + 1)):
            assert np.abs(rows[row][at].astype(int) - of.real.held_out.images[image, 0]).max() <= 2
    assert found.pictures["interpolation_animated"][0].shape == (9, SIDE + 2 * GAP, 3 * (SIDE + GAP) + GAP, 1)


def test_the_moving_picture_comes_back_and_takes_every_column_through_every_image() -> None:
    moving = run(Interpolation, context(Coded()), pairs=2, images=3, frames=4, path_samples=10).pictures[
        "interpolation_animated"
    ][0]
    columns = [moving[:, GAP : GAP + SIDE, k * (SIDE + GAP) + GAP : (k + 1) * (SIDE + GAP)] for k in range(3)]
    for k in (1, 2):
        assert (columns[k] == np.roll(columns[0], -4 * k, axis=0)).all()


def test_the_path_length_is_that_of_brute_force() -> None:
    of = context(Bands())
    numbers = run(Interpolation, of, path_samples=2000, path_step=0.2).numbers
    rng = np.random.default_rng(5)
    a, b, t = rng.standard_normal((20_000, 2)), rng.standard_normal((20_000, 2)), rng.uniform(0, 0.8, (20_000, 1))
    x, y = (np.tanh(a + at * (b - a)) / 2 for at in (t, t + 0.2))
    expected = 32 * np.square(x - y).sum(1).mean() / 0.2**2  # each band has 32 pixels
    assert numbers["path_length_linear"] == pytest.approx(expected, rel=0.06)
    assert numbers["path_length_spherical"] > 0


def test_codes_of_two_numbers_are_drawn_as_they_are() -> None:
    found = run(LatentEmbedding, context(Coded()))
    picture, caption = found.pictures["latent_embedding"]
    assert "Codes of 400 held-out images, as they are; one color per class." in caption
    assert found.numbers == {}
    colors = {tuple(pixel) for pixel in picture.reshape(-1, 3)}
    assert len(colors) > 20


@pytest.mark.parametrize("method", ["principal_components", "tsne"])
def test_longer_codes_are_projected(method: str) -> None:
    found = run(LatentEmbedding, context(Coded(4)), method=method, images=80, neighbors=10)
    assert found.pictures["latent_embedding"][0].ndim == 3
    if method == "principal_components":
        assert found.numbers["code_variance_share"] == pytest.approx(1, abs=1e-3)


def test_umap_keeps_groups_apart_and_the_seed() -> None:
    pytest.importorskip("umap", reason="an extra of its own")
    groups = np.arange(150) % 3
    z = np.random.default_rng(0).normal(size=(150, 10)) + 6 * np.eye(10)[groups]
    points = umap_of(z, 15, 0)
    middles = np.stack([points[groups == k].mean(0) for k in range(3)])
    assert (np.linalg.norm(points[:, None] - middles, axis=2).argmin(1) == groups).all()
    assert np.array_equal(points, umap_of(z, 15, 0))


def test_umap_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    with pytest.raises(Unsuitable, match=r"genpipe\[umap\]"):
        run(LatentEmbedding, context(Coded(4)), method="umap")


def test_too_few_images_for_neighbors() -> None:
    with pytest.raises(Unsuitable, match="perplexity 30 needs more than 20 images"):
        run(LatentEmbedding, context(Coded(4), n=20), method="tsne")
