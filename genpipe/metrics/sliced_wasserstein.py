"""Sliced Wasserstein distance of patches of a Laplacian pyramid (Karras et al. 2018, arXiv:1710.10196, section 5)."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from jaxtyping import Float, UInt8
from numpy.lib.stride_tricks import sliding_window_view
from pydantic import Field
from scipy.ndimage import convolve1d

from genpipe.errors import Unsuitable
from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.metrics import Metric, Score
from genpipe.metrics._subsets import disjoint, drawn, interval
from genpipe.schema import Strict

PATCH_PIXELS = 7
SMALLEST_LEVEL_PIXELS = 16
_BINOMIAL = np.array([1, 4, 6, 4, 1]) / 16
_BLOCK = 64
"""Directions at a time, which bounds the memory."""


class SlicedWasserstein(Metric):
    """Distance between the 7×7 patches of samples and of training images, at each scale and as the mean of them."""

    class Config(Strict):
        images: Annotated[int, Field(ge=2)] = 1000
        """Drawn of each set, and fewer where one has fewer; 16,384 in the paper."""
        patches: Annotated[int, Field(ge=1)] = 32
        """Of each image and level; 128 in the paper."""
        projections: Annotated[int, Field(ge=1)] = 512
        """Random directions; 512 in the paper, as four times 128."""
        subsets: Annotated[int, Field(ge=2)] = 10
        """Of the images, for the interval."""

    title = "Sliced Wasserstein distance (SWD)"
    meaning = (
        "How differently small patches of the images and of the training images look, on average over scales: the "
        "coarse ones show layout, the fine ones texture and noise; 0 is the same. It sees no further than a patch, so "
        "it misses whether the parts of an image belong together, and it grows when few images are compared."
    )
    lower_is_better = True
    input = "pixels"
    least_pixels = 7

    def scores(self, images: FeatureSet, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        n = min(self.config.images, *(len(e.images) for e in (images, real.training, real.held_out)))
        given, training = drawn(images.images, n, seed), drawn(real.training.images, n, seed)
        groups = disjoint(n, self.config.subsets, seed)
        rows = distances(given, training, groups, self.config.patches, self.config.projections, seed)
        how = {"drawn_images": n, "patches": self.config.patches, "projections": self.config.projections}
        how["level_pixels"] = list(rows)
        named = {"swd_pixels": np.mean([*rows.values()], 0), **{f"swd_pixels_{s}": row for s, row in rows.items()}}
        return {name: Score(float(row[0]), how, interval(float(row[0]), row[1:])) for name, row in named.items()}


def distances(
    a: UInt8[np.ndarray, "n c h w"],
    b: UInt8[np.ndarray, "n c h w"],
    groups: Sequence[np.ndarray],
    patches: int,
    projections: int,
    seed: int,
) -> dict[int, Float[np.ndarray, "g"]]:
    """By the shorter side of each level: the distance × 10³ of all images, then of each group of them.

    Patches are cut at the same random places from image k of both sets.
    """
    found = {}
    for number, levels in enumerate(zip(pyramid(a), pyramid(b), strict=True)):
        rng = np.random.default_rng([seed, number])
        places = rng.random((2, len(a), patches))
        x, y = (normalized(cut(level, places)) for level in levels)
        directions = rng.normal(size=(projections, x.shape[-1]))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        found[min(levels[0].shape[2:])] = 1000 * sliced(x, y, directions.astype(np.float32), groups)
    return found


def pyramid(images: UInt8[np.ndarray, "n c h w"]) -> list[Float[np.ndarray, "n c _h _w"]]:
    """The Laplacian pyramid (Burt & Adelson 1983) down to the last level of at least 16 pixels, the finest first.

    The last level is the image itself, smoothed and halved; if the image is small, it is the only one.
    """
    levels = [images.astype(np.float32)]
    while (min(levels[-1].shape[2:]) + 1) // 2 >= SMALLEST_LEVEL_PIXELS:
        halved = np.ascontiguousarray(_smooth(levels[-1])[..., ::2, ::2])
        spread = np.zeros_like(levels[-1])
        spread[..., ::2, ::2] = 4 * halved
        levels[-1] -= _smooth(spread)
        levels.append(halved)
    return levels


def cut(level: Float[np.ndarray, "n c h w"], places: Float[np.ndarray, "2 n p"]) -> Float[np.ndarray, "n p c k k"]:
    """The patches of each image whose corners lie at the given shares, in [0, 1), of where a patch may lie.

    Raises Unsuitable if no patch fits into the image.
    """
    h, w = level.shape[2:]
    if min(h, w) < PATCH_PIXELS:
        raise Unsuitable(
            f"sliced_wasserstein compares patches of {PATCH_PIXELS}×{PATCH_PIXELS} pixels, and these images have "
            f"{h}×{w}. Leave it out of evaluate.metrics, or prepare larger images."
        )
    windows = sliding_window_view(level, (PATCH_PIXELS, PATCH_PIXELS), axis=(2, 3))
    y, x = (places * np.array(windows.shape[2:4])[:, None, None]).astype(np.int64)
    return windows[np.arange(len(level))[:, None], :, y, x]


def normalized(patches: Float[np.ndarray, "n p c k k"]) -> Float[np.ndarray, "n p d"]:
    """Patches as vectors, every channel with mean 0 and deviation 1 over the whole set; a flat channel stays at 0."""
    axes = (0, 1, 3, 4)
    centered = patches - patches.mean(axes, dtype=np.float64, keepdims=True)
    deviation = np.sqrt(np.square(centered).mean(axes, keepdims=True))
    scaled = np.divide(centered, deviation, out=np.zeros_like(centered), where=deviation > 0)
    return scaled.reshape(*patches.shape[:2], -1).astype(np.float32)


def sliced(
    x: Float[np.ndarray, "n p d"],
    y: Float[np.ndarray, "n p d"],
    directions: Float[np.ndarray, "k d"],
    groups: Sequence[np.ndarray] = (),
) -> Float[np.ndarray, "g"]:
    """E |F⁻¹ − G⁻¹| of the points projected on each direction, on average: of all images, then of each group."""
    totals = np.zeros(1 + len(groups))
    for start in range(0, len(directions), _BLOCK):
        p, q = (np.tensordot(directions[start : start + _BLOCK], points, (1, 2)) for points in (x, y))
        totals += [_apart(p, q), *(_apart(p[:, group], q[:, group]) for group in groups)]
    return totals / len(directions)


def _apart(p: Float[np.ndarray, "k m p"], q: Float[np.ndarray, "k m p"]) -> float:
    """Wasserstein-1 distances of rows of numbers, added up over the rows."""
    ordered = (np.sort(values.reshape(len(values), -1)) for values in (p, q))
    return float(np.abs(np.subtract(*ordered)).mean(1, dtype=np.float64).sum())


def _smooth(x: Float[np.ndarray, "n c h w"]) -> Float[np.ndarray, "n c h w"]:
    """Under the binomial filter of five by five pixels, mirrored at the border."""
    return convolve1d(convolve1d(x, _BINOMIAL, 2, mode="mirror"), _BINOMIAL, 3, mode="mirror")
