"""Processing of chunks of images on all cores. Without torch, as every worker imports this file."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from time import monotonic
from typing import NamedTuple, TypeVar

import numpy as np

from genpipe.dataset.decoding import Broken, decoded
from genpipe.dataset.fields import stored
from genpipe.dataset.fitting import fitted
from genpipe.dataset.luma import luma
from genpipe.errors import DataError
from genpipe.interfaces.spec import FieldSpec, ImageSize, sides

ALONE_SEC = 3.0
"""Shorter work is done without processes, as starting one costs about a second per core."""

Given = TypeVar("Given")
Made = TypeVar("Made")


class Target(NamedTuple):
    """The target format of images."""

    image_size: ImageSize
    channels: int
    resize_mode: str = "crop"
    seed: int = 0
    binarize: str | None = None
    fields: Mapping[str, FieldSpec] | None = None
    """The fields at this size; None: they are left out."""


class Work(NamedTuple):
    """A chunk of images with their numbers."""

    images: np.ndarray | Sequence[tuple[str, bytes | Path]]
    rows: np.ndarray
    fields: Mapping[str, np.ndarray]
    target: Target


class Done(NamedTuple):
    """A chunk of finished images [n c h w]; broken ones are left out and named."""

    images: np.ndarray
    rows: np.ndarray
    fields: Mapping[str, np.ndarray]
    sizes: np.ndarray
    """Height and width before."""
    broken: list[tuple[str, str]]


def done(work: Work) -> Done:
    """Returns the decoded chunk in the target channels and size."""
    if isinstance(work.images, np.ndarray):
        images = _fitted(_in_channels(work.images, work.target.channels), work.rows, work.target)
        sizes = np.tile(work.images.shape[1:3], (len(images), 1))
        fields = _stored(work.fields, work.rows, sizes, work.target)
        return Done(_finished_pixels(images, work.rows, work.target), work.rows, fields, sizes, [])
    images, kept, sizes, broken = _decoded(work.images, work.rows, work.target)
    rows = work.rows[kept]
    fields = _stored({name: values[kept] for name, values in work.fields.items()}, rows, sizes, work.target)
    return Done(_finished_pixels(images, rows, work.target), rows, fields, sizes, broken)


def _decoded(
    files: Sequence[tuple[str, bytes | Path]], rows: np.ndarray, target: Target
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[tuple[str, str]]]:
    """The pictures [k h w c] that can be read, their places among the files, their sizes, and the others."""
    size, channels = sides(target.image_size), target.channels
    pixels = np.empty((len(files), *size, channels), np.uint8)
    kept: list[int] = []
    sizes: list[tuple[int, ...]] = []
    broken: list[tuple[str, str]] = []
    for place, (name, content) in enumerate(files):
        try:
            picture = decoded(content, channels)
        except Broken as error:
            broken.append((name, str(error)))
            continue
        fits = picture.shape[:2] == size
        pixels[len(kept)] = picture if fits else _fitted(picture[None], rows[place : place + 1], target)[0]
        kept.append(place)
        sizes.append(picture.shape[:2])
    return pixels[: len(kept)], np.array(kept, np.int64), np.array(sizes, np.int64).reshape(-1, 2), broken


def _stored(
    fields: Mapping[str, np.ndarray], rows: np.ndarray, sizes: np.ndarray, target: Target
) -> dict[str, np.ndarray]:
    """The fields as they are stored, cut and resized as their images are; none if there are no images."""

    def fit(pictures: np.ndarray, nearest: bool) -> np.ndarray:
        return _fitted(pictures, rows, target, nearest)

    known = target.fields or {}
    return {name: stored(name, fields[name], spec, sizes, fit) for name, spec in known.items() if len(rows)}


def _fitted(images: np.ndarray, rows: np.ndarray, target: Target, nearest: bool = False) -> np.ndarray:
    random = target.resize_mode == "random_crop"
    at = [tuple(np.random.default_rng((target.seed, int(row))).random(2)) for row in rows] if random else []
    return fitted(images, target.image_size, target.resize_mode, at, nearest=nearest)


def _in_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Grey images as RGB, or RGB as their luma. Raises DataError for others."""
    given = images.shape[3]
    if given == channels:
        return images
    if given == 2:
        raise DataError(f"images of 2 channels cannot be made {channels}. Leave out `channels` of the data set.")
    if given == 1:
        return np.repeat(images, channels, axis=3)
    return luma(images)[..., None]


def _finished_pixels(images: np.ndarray, rows: np.ndarray, target: Target) -> np.ndarray:
    """Fitted images with the channels first, of two levels if that is wanted."""
    first = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    return binarized(first, target.binarize, target.seed, rows) if target.binarize else first


def binarized(images: np.ndarray, how: str, seed: int, rows: np.ndarray) -> np.ndarray:
    """Returns levels as 0 or 255: the nearer one ("threshold"), or 255 with probability level / 255 ("sampled").

    The latter once and for all, by the seed and the number of the image (Salakhutdinov & Murray 2008,
    doi:10.1145/1390156.1390266).
    """
    if how == "threshold":
        return (images > 127).astype(np.uint8) * np.uint8(255)
    drawn = [np.random.default_rng((seed, int(row), 1)).random(images.shape[1:]) for row in rows]
    return (np.reshape(drawn, images.shape) * 255 < images).astype(np.uint8) * np.uint8(255)


def cores() -> int:
    """Returns the number of worker processes: GENPIPE_WORKERS, or one per core."""
    if given := os.environ.get("GENPIPE_WORKERS", ""):
        return int(given) if given.isdigit() and int(given) else 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(make: Callable[[Given], Made], given: Iterable[Given], workers: int) -> Iterator[Made]:
    """Yields the results in the order of the inputs, for any number of workers.

    Processes, not threads: for small pictures most of the time goes to the Python part of the decoder. No more than a
    few chunks for each worker are under way, so that memory stays bounded.
    """
    begun, waiting = monotonic(), iter(given)
    yield from _alone(make, waiting, lambda: workers > 1 and monotonic() - begun > ALONE_SEC)
    pool = ProcessPoolExecutor(workers, get_context("spawn"))
    try:
        if first := list(islice(waiting, 1)):
            waiting, begins = chain(first, waiting), pool.submit(os.getpid)
            yield from _alone(make, waiting, begins.done)
            yield from _shared(make, waiting, pool, 2 * workers)
    except BrokenProcessPool:
        raise DataError(
            "a worker that decodes pictures was ended from outside, most likely because memory ran out. "
            "Close other programs, or let fewer work at once: GENPIPE_WORKERS=1."
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _alone(make: Callable[[Given], Made], waiting: Iterator[Given], enough: Callable[[], bool]) -> Iterator[Made]:
    """What this process makes of each until it is enough."""
    while not enough() and (mine := [make(item) for item in islice(waiting, 1)]):
        yield mine[0]


def _shared(
    make: Callable[[Given], Made], waiting: Iterator[Given], pool: ProcessPoolExecutor, most: int
) -> Iterator[Made]:
    """What a pool makes of each, in order; while the next in turn is not ready, this process takes its share."""
    queue: deque[Future[Made]] = deque()
    while True:
        busy = sum(not future.done() for future in queue)
        room = max(0, min(most - busy, 2 * most - len(queue)))
        queue.extend(pool.submit(make, item) for item in islice(waiting, room))
        if not queue:
            return
        mine = [make(item) for item in islice(waiting, int(not queue[0].done() and len(queue) < 2 * most))]
        queue.extend(map(_finished, mine))
        if not mine:
            yield queue.popleft().result()


def _finished(made: Made) -> Future[Made]:
    future: Future[Made] = Future()
    future.set_result(made)
    return future
