"""Disturbances of images, in levels from 0, which leaves them as they are, to 1.

Noise, blur, salt and pepper and foreign images are in Heusel et al. 2017 (arXiv:1706.08500, fig. 3). Equal states of
the random generator disturb the same places, and more of them at each higher level. Where a share of the images is
replaced it is the first ones, for images are to come in random order.
"""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float, UInt8

from genpipe.errors import Unsuitable
from genpipe.interfaces.extractors import FeatureSet

Pixels = UInt8[np.ndarray, "n c h w"]
Disturb = Callable[[FeatureSet, float, np.random.Generator], Pixels]

_MEAN, _DEVIATION = 127.5, 42.5  # of noise: three deviations reach black and white


def noise(seen: FeatureSet, level: float, rng: np.random.Generator) -> Pixels:
    """(1 − level) of the image and level of Gaussian noise that spans all gray values."""
    normal = rng.standard_normal(seen.images.shape, np.float32)
    return _rounded((1 - level) * seen.images + level * (_MEAN + _DEVIATION * normal))


def blur(seen: FeatureSet, level: float, rng: np.random.Generator) -> Pixels:
    """A Gaussian blur with a deviation of level eighths of the image's side."""
    if level == 0:
        return seen.images
    h, w = seen.images.shape[2:]
    return _rounded(_gaussian(h, level * h / 8) @ seen.images.astype(np.float64) @ _gaussian(w, level * w / 8).T)


def salt_and_pepper(seen: FeatureSet, level: float, rng: np.random.Generator) -> Pixels:
    """A share of the pixels turned black or white."""
    n, _, h, w = seen.images.shape
    chance, white = rng.random((n, 1, h, w)), rng.random((n, 1, h, w)) < 0.5
    return np.where(chance < level, np.where(white, 255, 0), seen.images).astype(np.uint8)


def foreign(seen: FeatureSet, level: float, rng: np.random.Generator) -> Pixels:
    """A share of the images replaced by pictures of nothing: their own quarters, exchanged diagonally."""
    h, w = seen.images.shape[2:]
    return _replaced(seen.images, np.roll(seen.images, (h // 2, w // 2), (2, 3)), level)


def repeats(seen: FeatureSet, level: float, rng: np.random.Generator) -> Pixels:
    """A share of the images replaced by one image a class: of those predicted so, the one that is surest.

    Raises Unsuitable if the extractor gives no class probabilities.
    """
    if seen.probabilities is None:
        raise Unsuitable("metric_sensitivity: `repeats` needs an extractor with classes; take it out of `kinds`.")
    predicted, sureness = seen.probabilities.argmax(1), seen.probabilities.max(1)
    surest = {k: np.flatnonzero(predicted == k)[sureness[predicted == k].argmax()] for k in np.unique(predicted)}
    return _replaced(seen.images, seen.images[[surest[k] for k in predicted]], level)


KINDS: Mapping[str, tuple[str, Disturb]] = {
    "noise": ("Gaussian noise", noise),
    "blur": ("Gaussian blur", blur),
    "salt_and_pepper": ("salt and pepper", salt_and_pepper),
    "foreign": ("foreign images", foreign),
    "repeats": ("one image a class", repeats),
}
"""Each with what it is called in a picture."""


def _replaced(images: Pixels, others: Pixels, share: float) -> Pixels:
    count = round(share * len(images))
    return np.concatenate([others[:count], images[count:]])


def _gaussian(side: int, deviation_pixels: float) -> Float[np.ndarray, "s s"]:
    """The matrix that blurs a column of pixels; what would lie outside the image counts for nothing."""
    i = np.arange(side)
    weights = np.exp(-np.square(i[:, None] - i) / (2 * deviation_pixels**2))
    return weights / weights.sum(1, keepdims=True)


def _rounded(values: np.ndarray) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
