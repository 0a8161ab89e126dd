import numpy as np

from genpipe.interfaces import Evidence, Real
from genpipe.metrics.memorisation import Memorisation
from genpipe.nn.neighbours import flat, nearest


def evidence(images: np.ndarray) -> Evidence:
    nothing = np.zeros((len(images), 1), np.float32)
    return Evidence(images, nothing, nothing)


def test_copies_are_found_and_unseen_images_are_not_taken_for_copies() -> None:
    rng = np.random.default_rng(0)
    training, held_out, fresh = (rng.integers(0, 256, (200, 1, 4, 4), dtype=np.uint8) for _ in range(3))
    real = Real(evidence(training), evidence(held_out))
    metric = Memorisation(Memorisation.Config())
    share = {
        kind: metric.scores(evidence(images), real, "classifier", 0)["memorisation_pixels"].value
        for kind, images in {"copies": training[::-1].copy(), "fresh": fresh, "held out": held_out}.items()
    }
    assert share["copies"] == 1.0
    assert share["fresh"] < 0.15
    assert share["held out"] == 0.05


def test_neighbours_equal_brute_force() -> None:
    rng = np.random.default_rng(1)
    queries, points = rng.integers(0, 256, (30, 1, 3, 3), np.uint8), rng.integers(0, 256, (50, 1, 3, 3), np.uint8)
    distances, which = nearest(flat(queries), flat(points), k=3)
    brute = np.linalg.norm(flat(queries)[:, None] - flat(points)[None], axis=2)
    np.testing.assert_allclose(distances, np.sort(brute, axis=1)[:, :3], rtol=1e-4)
    np.testing.assert_allclose(np.take_along_axis(brute, which, 1), distances, rtol=1e-4)
