"""Processing of chunks of images on all cores. Without torch, as every worker imports this file."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from multiprocessing import get_context
from time import monotonic
from typing import NamedTuple, TypeVar

import numpy as np

from genpipe.dataset.decoding import Broken, decoded
from genpipe.dataset.fields import stored
from genpipe.dataset.fitting import fitted
from genpipe.dataset.luma import luma
from genpipe.dataset.maps import field_row
from genpipe.errors import DataError
from genpipe.interfaces.sources import EncodedField, EncodedPart
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

    images: np.ndarray | Sequence[EncodedPart]
    rows: np.ndarray
    fields: Mapping[str, np.ndarray | Sequence[EncodedField]]
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
    given = {name: values for name, values in work.fields.items() if isinstance(values, np.ndarray)}
    if isinstance(work.images, np.ndarray):
        images = _fitted(_in_channels(work.images, work.target.channels), work.rows, work.target)
        sizes = np.tile(work.images.shape[1:3], (len(images), 1))
        fields = _stored(given, work.rows, sizes, work.target)
        return Done(_finished_pixels(images, work.rows, work.target), work.rows, fields, sizes, [])
    images, kept, sizes, pictures, broken = _decoded(work, work.images)
    rows = work.rows[kept]
    fields = _stored({name: values[kept] for name, values in given.items()}, rows, sizes, work.target) | pictures
    return Done(_finished_pixels(images, rows, work.target), rows, fields, sizes, broken)


class _Decoded(NamedTuple):
    """The pictures [k h w c] that can be read, with their places among the files, sizes and fields, and the others."""

    images: np.ndarray
    kept: np.ndarray
    sizes: np.ndarray
    fields: dict[str, np.ndarray]
    broken: list[tuple[str, str]]


def _decoded(work: Work, files: Sequence[EncodedPart]) -> _Decoded:
    target, size = work.target, sides(work.target.image_size)
    pixels = np.empty((len(files), *size, target.channels), np.uint8)
    kept, sizes, fields, broken = list[int](), list[tuple[int, ...]](), list[dict[str, np.ndarray]](), []
    for place, (name, content) in enumerate(files):
        row = work.rows[place : place + 1]
        try:
            picture = decoded(content, target.channels)
            fields.append(_beside(work, place, name, picture.shape[:2]))
        except Broken as error:
            broken.append((error.name or name, str(error)))
            continue
        fits = picture.shape[:2] == size
        pixels[len(kept)] = picture if fits else _fitted(picture[None], row, target)[0]
        kept.append(place)
        sizes.append(picture.shape[:2])
    together = {name: np.concatenate([one[name] for one in fields]) for name in (fields or [{}])[0]}
    places = np.array(kept, np.int64), np.array(sizes, np.int64).reshape(-1, 2)
    return _Decoded(pixels[: len(kept)], *places, together, broken)


def _beside(work: Work, place: int, image: str, size: tuple[int, ...]) -> dict[str, np.ndarray]:
    """The fields of an image that are picture files, as they are stored [1 …]. Raises Broken with the file's name."""
    found, row = dict[str, np.ndarray](), work.rows[place : place + 1]
    for field, spec in (work.target.fields or {}).items():
        if isinstance(files := work.fields[field], np.ndarray):
            continue
        name, content = files[place]
        try:
            values = field_row(content, spec)
            _verify_size(values.shape[1:3], image, size)
        except Broken as error:
            raise Broken(str(error), name) from None
        found |= _stored({field: values}, row, np.array([size]), work.target)
    return found


def _verify_size(size: tuple[int, ...], image: str, expected: tuple[int, ...]) -> None:
    if size != expected:
        (height, width), (tall, wide) = size, expected
        raise Broken(f"it is {width}×{height}, and its image {image} {wide}×{tall}; give both the same size")


def _stored(
    fields: Mapping[str, np.ndarray], rows: np.ndarray, sizes: np.ndarray, target: Target
) -> dict[str, np.ndarray]:
    """The fields as they are stored, cut and resized as their images are; none if there are no images."""

    def fit(pictures: np.ndarray, nearest: bool) -> np.ndarray:
        return _fitted(pictures, rows, target, nearest)

    known = {name: spec for name, spec in (target.fields or {}).items() if name in fields and len(rows)}
    return {name: stored(name, fields[name], spec, sizes, fit) for name, spec in known.items()}


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
