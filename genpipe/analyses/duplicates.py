"""Duplicates: samples that are nearly the same, which a generator of few images leaves (Arora & Zhang 2017)."""

from typing import Annotated

import numpy as np
from jaxtyping import Float, Int, UInt8
from pydantic import Field

from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import Counts
from genpipe.nn.image_grid import grid
from genpipe.nn.neighbors import flat, nearest
from genpipe.schema import Strict

_USUAL = 0.01
"""The share of training images that are as near to another."""


class Duplicates(Analysis):
    """The share of samples nearer to another sample than 99 % of equally many training images are to each other.

    By the birthday paradox, a generator of N images repeats itself among about √N of them (arXiv:1706.08224). A share
    of 1 % is that of the data. Distances are of pixels. Classes that are missing are seen by `class_histogram`.
    """

    class Config(Strict):
        images: Annotated[int, Field(ge=100)] = 2000
        """At most so many samples, and as many training images."""
        shown: Annotated[int, Field(ge=1, le=50)] = 10
        """Pairs in the picture."""

    @property
    def least_images(self) -> Counts:
        return Counts(training=2, samples=2)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        n = min(self.config.images, len(context.samples.images), len(context.real.training.images))
        if n < 2:
            raise Unsuitable("duplicates: one image repeats nothing; raise `sample.images`, or take the analysis out.")
        rng = np.random.default_rng(context.seed)
        samples, training = (
            images[np.sort(rng.permutation(len(images))[:n])]
            for images in (context.samples.images, context.real.training.images)
        )
        distances, partners = apart(samples)
        limit = np.quantile(apart(training)[0], _USUAL)
        share = float((distances <= limit).mean())
        pairs = closest(distances, partners, self.config.shown)
        told = (
            f"The nearest pairs among {n:,} samples, one above the other. {share:.1%} of them are as near to another "
            f"as {_USUAL:.0%} of training images are."
        )
        return AnalysisResult(
            {"duplicates": (grid(samples[pairs.T.ravel()], len(pairs)), told)}, {"duplicate_share": share}
        )


def apart(images: UInt8[np.ndarray, "n c h w"]) -> tuple[Float[np.ndarray, "n"], Int[np.ndarray, "n"]]:
    """How far each image is from the nearest other one, and which that is."""
    x = flat(images)
    distances, which = nearest(x, x, 2)
    other = (which[:, 0] == np.arange(len(x))).astype(int)  # the image itself comes first, or second to its copy
    rows = np.arange(len(x))
    return distances[rows, other], which[rows, other]


def closest(distances: Float[np.ndarray, "n"], partners: Int[np.ndarray, "n"], count: int) -> Int[np.ndarray, "k 2"]:
    """The nearest pairs, each once."""
    pairs = np.sort(np.stack([np.arange(len(partners)), partners], axis=1), axis=1)[
        np.argsort(distances, kind="stable")
    ]
    _, first = np.unique(pairs, axis=0, return_index=True)
    return pairs[np.sort(first)[:count]]
