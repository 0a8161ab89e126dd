"""What decided an image, as numbers, and how it is read off images that a model made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float, UInt8

from genpipe.errors import Unsuitable, nearest
from genpipe.interfaces.analyses import AnalysisContext
from genpipe.interfaces.extractors import FeatureSet

_SIDE = 16
"""Images are made this small before they are read, by the mean of blocks."""
_TAUGHT_IMAGES = 3000
_RIDGE = 1e-2

Factors = Mapping[str, np.ndarray]


def known(evidence: FeatureSet, names: Sequence[str] | None = None) -> Factors:
    """The factors of images: all, or those with these names. Raises Unsuitable if the source does not know them."""
    if message := missing(tuple(evidence.factors), names):
        raise Unsuitable(message)
    return {name: np.asarray(evidence.factors[name]) for name in names or evidence.factors}


def missing(factors: tuple[str, ...], names: Sequence[str] | None = None) -> str | None:
    """What to say of data with these factors if all, or those with these names, are needed; None if they are there."""
    if not factors:
        return "no factors are known of these images; take a source that knows some, or leave the analysis out."
    unknown = sorted(set(names or ()) - set(factors))
    return f"no factor '{unknown[0]}' is known of these images.{nearest(unknown[0], factors)}" if unknown else None


def columns(values: np.ndarray) -> Float[np.ndarray, "n k"]:
    """A factor as numbers: categories one-hot, places on a circle as cosine and sine, others as they are."""
    if values.dtype.kind == "c":
        return np.stack([values.real, values.imag], axis=1).astype(np.float64)
    if values.dtype.kind == "f":
        return np.asarray(values, np.float64)[:, None]
    return (np.asarray(values)[:, None] == np.unique(values)).astype(np.float64)


def restored(read: Float[np.ndarray, "m k"], like: np.ndarray) -> np.ndarray:
    """Readings in such columns as values of the same kind as some known ones: the likeliest category, or numbers."""
    if like.dtype.kind == "c":
        return read[:, 0] + 1j * read[:, 1]
    return read[:, 0] if like.dtype.kind == "f" else np.unique(like)[read.argmax(1)]


def binned(values: np.ndarray, bins: int) -> np.ndarray:
    """A factor as whole numbers from 0: categories as they are, others in equally wide bins."""
    if values.dtype.kind in "biu":
        return np.unique(values, return_inverse=True)[1]
    numbers = np.angle(values) if values.dtype.kind == "c" else np.asarray(values, np.float64)
    edges = np.histogram_bin_edges(numbers, bins)
    return np.digitize(numbers, edges[1:-1])


@dataclass(frozen=True)
class Reader:
    """Reads factors off pixels: kernel ridge regression (Saunders et al. 1998), Gaussian kernel, on small images.

    The width of the kernel is the standard deviation of the images about their mean. Factors that cannot be read off
    real images say nothing of others, so that `r2` of held-out real images goes with every reading.
    """

    images: Float[np.ndarray, "n p"]
    weights: Mapping[str, Float[np.ndarray, "n k"]]
    means: Mapping[str, Float[np.ndarray, "k"]]
    variances: Mapping[str, float]
    """Of the real images' factors, summed over columns."""
    width: float
    r2: Mapping[str, float]
    """The share of the variance that readings of held-out real images explain."""

    def read(self, images: UInt8[np.ndarray, "m c h w"]) -> dict[str, Float[np.ndarray, "m _"]]:
        """Every factor of images, in the columns of `columns`."""
        k = _kernel(small(images), self.images, self.width)
        return {name: k @ weights + self.means[name] for name, weights in self.weights.items()}


def reader(context: AnalysisContext) -> Reader:
    """What reads the factors of a subject's data, taught by its training images. Raises Unsuitable if none is known."""
    known(context.real.training)
    return _taught(context.real.training, context.real.held_out, context.seed)


@lru_cache(maxsize=1)  # several analyses of an experiment read off the same data
def _taught(training: FeatureSet, held_out: FeatureSet, seed: int) -> Reader:
    from scipy.linalg import solve

    some = training.part(np.sort(np.random.default_rng(seed).permutation(len(training.images))[:_TAUGHT_IMAGES]))
    x, y = small(some.images), {name: columns(values) for name, values in some.factors.items()}
    width = float(x.var(0).sum())
    means = {name: values.mean(0) for name, values in y.items()}
    centered = np.concatenate([values - means[name] for name, values in y.items()], axis=1)
    solved = solve(_kernel(x, x, width) + _RIDGE * np.eye(len(x)), centered, assume_a="pos")
    ends = np.cumsum([values.shape[1] for values in y.values()])[:-1]
    weights = dict(zip(y, np.split(solved, ends, axis=1), strict=True))
    made = Reader(x, weights, means, {name: float(values.var(0).sum()) for name, values in y.items()}, width, {})
    seen = held_out.part(slice(0, _TAUGHT_IMAGES))
    r2 = {name: explained(read, columns(seen.factors[name])) for name, read in made.read(seen.images).items()}
    return replace(made, r2=r2)


def explained(read: Float[np.ndarray, "n k"], true: Float[np.ndarray, "n k"]) -> float:
    """R²: the share of the variance of the true values, all columns together, that the readings explain."""
    spread = np.square(true - true.mean(0)).sum()
    return float(1 - np.square(read - true).sum() / spread) if spread else 0.0


def small(images: UInt8[np.ndarray, "n c h w"]) -> Float[np.ndarray, "n p"]:
    """Images as rows of at most _SIDE × _SIDE places a channel, each the mean of a block, from 0 to 1."""
    n, c, h, w = images.shape
    k = max(1, min(h, w) // _SIDE)
    blocks = images[:, :, : h // k * k, : w // k * k].astype(np.float64).reshape(n, c, h // k, k, w // k, k)
    return blocks.mean((3, 5)).reshape(n, -1) / 255


def _kernel(x: Float[np.ndarray, "n p"], y: Float[np.ndarray, "m p"], width: float) -> Float[np.ndarray, "n m"]:
    squared = np.square(x).sum(1)[:, None] + np.square(y).sum(1) - 2 * x @ y.T
    return np.exp(-np.maximum(squared, 0) / width)
