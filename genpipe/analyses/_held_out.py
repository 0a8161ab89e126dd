"""Held-out images as a model takes them."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from genpipe.interfaces.analyses import AnalysisContext
from genpipe.interfaces.tensors import Images
from genpipe.nn.batched_inference import parts

_AT_ONCE = 100


def some(context: AnalysisContext, most: int) -> Int[np.ndarray, "n"]:
    """The numbers of at most so many held-out images, drawn by the seed; in order."""
    count = len(context.real.held_out.images)
    return np.sort(np.random.default_rng(context.seed).permutation(count)[:most])


def batches(context: AnalysisContext, which: Int[np.ndarray, "n"]) -> Iterator[Images]:
    """The held-out images with these numbers, on the device of the model."""
    return parts(np.asarray(context.real.held_out.images)[which], context.model.device, _AT_ONCE)
