"""Held-out images as a model takes them."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int, UInt8

from genpipe.interfaces import Images, Subject
from genpipe.nn.pixels import to_model

_AT_ONCE = 100


def some(subject: Subject, most: int) -> Int[np.ndarray, "n"]:
    """The numbers of at most so many held-out images, drawn by the seed; in order."""
    count = len(subject.real.held_out.images)
    return np.sort(np.random.default_rng(subject.seed).permutation(count)[:most])


def batches(subject: Subject, which: Int[np.ndarray, "n"]) -> Iterator[Images]:
    """The held-out images with these numbers, on the device of the model."""
    images: UInt8[np.ndarray, "n c h w"] = np.asarray(subject.real.held_out.images)[which]
    for part in np.array_split(images, -(-len(images) // _AT_ONCE)):
        yield to_model(torch.from_numpy(part).to(subject.model.device))
