"""Seconds, errors and memory of FID, KID, precision, recall, density and coverage, against other ways to the same.

    python benchmarks/metrics.py [--only fid kid] [--images 10000] [--few 1000] [--dimensions 2048] [--threads 2]

All have the same features: of a random layer with ReLU, float32, drawn from a seed. Every measurement has a process of
its own, the ways take turns, and the median counts; `times` is how much longer than genpipe. FID is against statistics
of the real images that are ready, of many images and of few, and its error is against the sum of the singular values of
factors that no covariance was formed for. Memory is what the process grew by, beyond the features.
"""

import argparse
import contextlib
import io
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass
from multiprocessing import get_context
from statistics import median
from threading import Event, Thread
from time import perf_counter
from typing import Any

import numpy as np
import psutil

MIB = 2**20


@dataclass(frozen=True)
class Measured:
    """What one way gave, in how many seconds, and by how many MiB the process grew meanwhile."""

    values: tuple[float, ...]
    sec: float
    mib: float


def features(n: int, d: int, seed: int, shift: float) -> np.ndarray:
    """Positive and correlated, and some are 0 for nearly all images, as those of networks are."""
    rng, layer = np.random.default_rng(seed), np.random.default_rng(0)
    mix, bias = layer.normal(size=(d // 8, d)) / np.sqrt(d // 8), layer.normal(size=d)
    hidden = rng.standard_normal((n, d // 8), np.float32) @ mix.astype(np.float32)
    hidden += (bias + shift).astype(np.float32) + 0.1 * rng.standard_normal((n, d), np.float32)
    return np.maximum(hidden, 0, out=hidden)


Ready = Callable[[], tuple[float, ...]]
"""The part of the work that is measured."""


def fid_genpipe(fake: np.ndarray, real: np.ndarray) -> Ready:
    """From factors of the covariances."""
    from genpipe.metrics._frechet import distance, statistics

    known = statistics(real)
    return lambda: (distance(statistics(fake), known),)


def _fid_by(trace: Callable[[np.ndarray], float], fake: np.ndarray, real: np.ndarray) -> Ready:
    """From means and covariances, with some way to the trace of the root of a product."""

    def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return x.mean(0, dtype=np.float64), np.cov(x, rowvar=False, dtype=np.float64)

    mean, covariance = moments(real)

    def work() -> tuple[float, ...]:
        m, c = moments(fake)
        return (float(np.square(m - mean).sum() + np.trace(c + covariance) - 2 * trace(c @ covariance)),)

    return work


def fid_eigvals(fake: np.ndarray, real: np.ndarray) -> Ready:
    """torch-fidelity's way."""
    return _fid_by(lambda product: float(np.sqrt(np.linalg.eigvals(product).astype(complex)).real.sum()), fake, real)


def fid_sqrtm(fake: np.ndarray, real: np.ndarray) -> Ready:
    """pytorch-fid's way."""
    from scipy.linalg import sqrtm

    return _fid_by(lambda product: float(np.trace(sqrtm(product)).real), fake, real)


def fid_truth(fake: np.ndarray, real: np.ndarray) -> Ready:
    """From factors that no covariance was formed for."""
    means = [x.mean(0, dtype=np.float64) for x in (fake, real)]
    a, b = (np.linalg.qr((x - m) / np.sqrt(len(x) - 1), mode="r") for x, m in zip((fake, real), means, strict=True))
    trace = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    value = np.square(means[0] - means[1]).sum() + np.square(a).sum() + np.square(b).sum() - 2 * trace
    return lambda: (float(value),)


def prdc_genpipe(fake: np.ndarray, real: np.ndarray) -> Ready:
    """All four, float32 first and float64 where that does not settle it."""
    from genpipe.metrics.precision_recall import compare, statistics

    return lambda: astuple(compare(statistics(fake, 5, 5), statistics(real, 5, 5)))


def prdc_prdc(fake: np.ndarray, real: np.ndarray) -> Ready:
    """All four, as published with the paper."""
    from prdc import compute_prdc

    def work() -> tuple[float, ...]:
        with contextlib.redirect_stdout(io.StringIO()):
            return tuple(float(value) for value in compute_prdc(real, fake, 5).values())

    return work


def prdc_torch_fidelity(fake: np.ndarray, real: np.ndarray) -> Ready:
    """Precision and recall alone."""
    import torch
    from torch_fidelity.metric_prc import calculate_precision_recall_full

    x, y = torch.from_numpy(fake), torch.from_numpy(real)
    return lambda: calculate_precision_recall_full(x, y, neighborhood=5)


def kid_genpipe(fake: np.ndarray, real: np.ndarray) -> Ready:
    """float64 throughout."""
    from genpipe.metrics.kid import score

    return lambda: score(fake, real, 100, min(1000, len(fake)), seed=0)


def _kid_theirs(fake: np.ndarray, real: np.ndarray) -> Ready:
    import torch
    from torch_fidelity.metric_kid import kid_features_to_metric

    kernel = {"kid_kernel": "poly", "kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None}
    sizes = {"kid_subsets": 100, "kid_subset_size": min(1000, len(fake)), "rng_seed": 0, "verbose": False}
    x, y = torch.from_numpy(fake), torch.from_numpy(real)
    return lambda: tuple(kid_features_to_metric(x, y, kid_kernel_poly_coef0=1.0, **kernel, **sizes).values())


def kid_torch_fidelity(fake: np.ndarray, real: np.ndarray) -> Ready:
    """In float32, as it comes."""
    return _kid_theirs(fake, real)


def kid_torch_fidelity_float64(fake: np.ndarray, real: np.ndarray) -> Ready:
    """Its arithmetic without its rounding."""
    return _kid_theirs(fake.astype(np.float64), real.astype(np.float64))


WAYS: dict[str, dict[str, Callable[[np.ndarray, np.ndarray], Ready]]] = {
    "fid": {"genpipe": fid_genpipe, "numpy eigvals": fid_eigvals, "scipy sqrtm": fid_sqrtm},
    "prdc": {"genpipe": prdc_genpipe, "prdc": prdc_prdc, "torch-fidelity": prdc_torch_fidelity},
    "kid": {
        "genpipe": kid_genpipe,
        "torch-fidelity": kid_torch_fidelity,
        "torch-fidelity, float64": kid_torch_fidelity_float64,
    },
}
TRUTH = {"fid": fid_truth, "kid": kid_torch_fidelity_float64}
"""What the error of the first value is against, where there is any."""


def measured(way: Callable[[np.ndarray, np.ndarray], Ready], fakes: int, reals: int, d: int) -> Measured:
    """Runs one way in this process."""
    work = way(features(fakes, d, 1, 0.02), features(reals, d, 2, 0.0))
    with growth() as grown:
        begun = perf_counter()
        values = work()
        sec = perf_counter() - begun
    return Measured(values, sec, max(grown) / MIB)


@contextlib.contextmanager
def growth() -> Iterator[list[int]]:
    """How much memory this process has more than when it began, in bytes, looked at a hundred times a second."""
    process, done = psutil.Process(), Event()
    before, grown = process.memory_info().rss, [0]

    def look() -> None:
        while not done.wait(0.01):
            grown.append(process.memory_info().rss - before)

    callback = Thread(target=look)
    callback.start()
    try:
        yield grown
    finally:
        done.set()
        callback.join()


def apart(way: Callable[[np.ndarray, np.ndarray], Ready], *sizes: int) -> Measured:
    """Runs one way in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measured, way, *sizes).result()


def rows(score: str, fakes: int, reals: int, d: int, rounds: int) -> Iterator[tuple[Any, ...]]:
    """A row for each way to a score."""
    truth = apart(TRUTH[score], fakes, reals, d).values[0] if score in TRUTH else None
    made: dict[str, list[Measured]] = {name: [] for name in WAYS[score]}
    for _ in range(rounds):
        for name, way in WAYS[score].items():
            made[name].append(apart(way, fakes, reals, d))
    ours = median(one.sec for one in made["genpipe"])
    for name, ones in made.items():
        sec, mib = median(one.sec for one in ones), median(one.mib for one in ones)
        error = "" if truth is None else f"{abs(ones[0].values[0] - truth):.1e}"
        values = "  ".join(f"{value:.6g}" for value in ones[0].values)
        yield score, f"{fakes} × {d}", name, f"{sec:.2f}", f"{sec / ours:.1f}", error, f"{mib:.0f}", values


def table(only: list[str], images: int, few: int, d: int, rounds: int) -> Iterator[str]:
    """The lines of the table, each as soon as it is known."""
    form = "{:5} {:13} {:24} {:>7} {:>6} {:>8} {:>6}  {}"
    yield form.format("score", "images", "way", "sec", "times", "error", "MiB", "values")
    for score in only:
        for fakes in (images, few) if score == "fid" else (images,):
            yield from (form.format(*row) for row in rows(score, fakes, images, d, rounds))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--few", type=int, default=1000, help="generated images of the second measurement of FID")
    parser.add_argument("--dimensions", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(given.threads)
    for line in table(given.only, given.images, given.few, given.dimensions, given.rounds):
        print(line, flush=True)
