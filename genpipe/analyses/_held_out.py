"""Held-out images as a model takes them."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from genpipe.interfaces import Images, Subject
from genpipe.nn.passing import parts

_AT_ONCE = 100


def some(subject: Subject, most: int) -> Int[np.ndarray, "n"]:
    """The numbers of at most so many held-out images, drawn by the seed; in order."""
    count = len(subject.real.held_out.images)
    return np.sort(np.random.default_rng(subject.seed).permutation(count)[:most])


def batches(subject: Subject, which: Int[np.ndarray, "n"]) -> Iterator[Images]:
    """The held-out images with these numbers, on the device of the model."""
    return parts(np.asarray(subject.real.held_out.images)[which], subject.model.device, _AT_ONCE)
