"""Against prdc, torch-fidelity and brute force."""

import contextlib
import io
import tracemalloc
from dataclasses import astuple

import numpy as np
import pytest
import torch
from prdc import compute_prdc
from torch_fidelity.metric_prc import calculate_precision_recall_full, calculate_precision_recall_part

from genpipe.metrics.precision_recall import Overlap, compare, statistics


def overlap(fake: np.ndarray, real: np.ndarray, k: int = 3, k_density: int = 5) -> Overlap:
    return compare(statistics(fake, k, k_density), statistics(real, k, k_density))


def by_prdc(fake: np.ndarray, real: np.ndarray, k: int) -> Overlap:
    with contextlib.redirect_stdout(io.StringIO()):
        return Overlap(**compute_prdc(real, fake, k))


def by_brute_force(fake: np.ndarray, real: np.ndarray, k: int, k_density: int) -> Overlap:
    """The papers' formulas, word for word, on differences in float64."""
    x, y = real.astype(np.float64), fake.astype(np.float64)

    def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.square(a[:, None] - b[None]).sum(-1)

    def radii(a: np.ndarray, k: int) -> np.ndarray:
        return np.sort(apart(a, a) + np.diag(np.full(len(a), np.inf)), axis=1)[:, k - 1]

    cross = apart(x, y)
    return Overlap(
        precision=float((cross <= radii(x, k)[:, None]).any(0).mean()),
        recall=float((cross <= radii(y, k)).any(1).mean()),
        density=float((cross <= radii(x, k_density)[:, None]).sum(0).mean() / k_density),
        coverage=float((cross.min(1) <= radii(x, k_density)).mean()),
    )


@pytest.mark.parametrize(("n", "m", "d", "spread"), [(300, 300, 8, 1.0), (250, 400, 16, 0.8), (2300, 1100, 4, 1.5)])
def test_equals_prdc(n: int, m: int, d: int, spread: float) -> None:
    rng = np.random.default_rng(n)
    real, fake = rng.normal(size=(n, d)).astype(np.float32), rng.normal(0.1, spread, (m, d)).astype(np.float32)
    for k in (1, 3, 5):
        assert astuple(overlap(fake, real, k, k)) == pytest.approx(astuple(by_prdc(fake, real, k)), rel=1e-12)


def test_equals_torch_fidelity() -> None:
    rng = np.random.default_rng(1)
    real, fake = rng.normal(size=(500, 12)), rng.normal(0.2, 0.9, (400, 12))
    made = overlap(fake, real)
    for theirs in (calculate_precision_recall_full, calculate_precision_recall_part):
        precision, recall = theirs(torch.from_numpy(fake), torch.from_numpy(real), neighborhood=3, batch_size=128)
        assert (made.precision, made.recall) == pytest.approx((precision, recall), rel=1e-6)


def test_the_gaussians_of_torch_fidelity() -> None:
    """Its own test: images of a tenth of a deviation among real ones of three."""
    torch.manual_seed(42)
    fake, real = (scale * torch.randn(200, 16).numpy() for scale in (0.1, 3.0))
    made = overlap(fake, real)
    assert made.precision > 0.8
    assert made.recall < 0.3


def test_the_gaussians_of_prdc() -> None:
    """What its documentation reports of N(0, I), 10,000 images in 1,000 dimensions, k = 5, up to another draw."""
    rng = np.random.default_rng(0)
    real, fake = (rng.standard_normal((10_000, 1000), np.float32) for _ in range(2))
    made = overlap(fake, real, 5, 5)
    assert (made.precision, made.recall) == pytest.approx((0.4772, 0.4705), abs=0.02)
    assert made.density == pytest.approx(1.0555, abs=0.07)
    assert made.coverage == pytest.approx(0.9735, abs=0.01)


def cases() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Sets on which float32 alone goes wrong, (generated, real)."""
    rng = np.random.default_rng(2)
    plain, modes = rng.normal(size=(300, 24)), rng.normal(size=(20, 24))
    near = np.repeat(modes, 15, axis=0)
    return {
        "far from 0": (rng.normal(size=(280, 24)) + 1000, plain + 1000),
        "duplicates": (np.repeat(plain[:40], 7, axis=0), np.repeat(plain[:60], 5, axis=0)),
        "copies": (plain.copy(), plain),
        "one image": (np.tile(plain[:1], (250, 1)), plain),
        "one image in both": (np.ones((250, 24)), np.ones((200, 24))),
        "modes far narrower than apart": (
            near + 1e-4 * rng.normal(size=near.shape),
            near + 1e-4 * rng.normal(size=near.shape),
        ),
        "modes of the last digits": (
            near * (1 + 1e-7 * rng.integers(-2, 3, near.shape)),
            near * (1 + 1e-7 * rng.integers(-2, 3, near.shape)),
        ),
        "outliers": (plain * np.where(np.arange(300) % 50, 1, 1e4)[:, None], rng.normal(size=(300, 24))),
    }


@pytest.mark.parametrize("name", cases())
def test_equals_brute_force_where_float32_alone_would_not(name: str) -> None:
    fake, real = (features.astype(np.float32) for features in cases()[name])
    made = overlap(fake, real)
    assert made == by_brute_force(fake, real, 3, 5)
    order = np.random.default_rng(3).permutation(len(fake))
    assert overlap(fake[order], real[::-1].copy()) == made


def test_copies_lie_wholly_in_one_another() -> None:
    x = np.random.default_rng(4).normal(size=(100, 6)).astype(np.float32)
    made = overlap(x, x)
    assert (made.precision, made.recall, made.coverage) == (1, 1, 1)
    assert made.density == pytest.approx(6 / 5), "the five nearest and itself"


def test_the_memory_beyond_the_features_is_a_copy_in_float32_and_some_blocks() -> None:
    """256 MiB for 10,000 × 10,000 in 2048 dimensions: 2 × 78 MiB of copies, and what does not grow with the images."""
    rng = np.random.default_rng(5)
    real, fake = (rng.standard_normal((3000, 1500), np.float32) for _ in range(2))
    tracemalloc.start()
    overlap(fake, real)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < real.nbytes + fake.nbytes + 2**26


def test_fewer_images_than_neighbors() -> None:
    with pytest.raises(ValueError, match="5 images have no 5 nearest others"):
        statistics(np.zeros((5, 2)))
