"""Class histogram: whether samples show all classes, and all kinds of image, as often as the data does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from pydantic import Field

from genpipe import plotting
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import Counts
from genpipe.nn.neighbors import flat, nearest
from genpipe.schema import Strict

_CLUSTERED_IMAGES = 10_000
"""At most so many training images decide where the bins are, and how many real images fall into each."""
_CERTAIN = 1.959964
"""Standard errors beyond which a difference is significant at 5 %."""
_TICKS = 12


class ClassHistogram(Analysis):
    """Predicted classes of samples beside those of the training images, and the same for bins of similar pixels.

    Bins are clusters of training images (k-means); samples differ from the data in a bin if their share in it does so
    significantly (Richardson & Weiss 2018, arXiv:1805.12462, sec. 2). Of equally distributed images 5 % of bins do.
    """

    class Config(Strict):
        bins: Annotated[int, Field(ge=0)] = 100
        """Clusters of training images, in pixels; 0: none."""

    lowered = {"bins": 0}

    @property
    def least_images(self) -> Counts:
        return Counts(training=self.config.bins)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        found = []
        training, samples = context.real.training, context.samples
        if training.probabilities is not None and samples.probabilities is not None:
            possible = int(training.probabilities.any(0).sum())
            found.append(_of_classes(shown(training.probabilities), shown(samples.probabilities), possible))
        if self.config.bins:
            found.append(_of_bins(*in_bins(context, self.config.bins)))
        if not found:
            raise Unsuitable("class_histogram: the extractor gives no classes; use another, or set its `bins` above 0.")
        picture = _drawn([part.draw for part in found])
        numbers = {name: value for part in found for name, value in part.numbers.items()}
        return AnalysisResult({"class_histogram": (picture, " ".join(part.told for part in found))}, numbers)


@dataclass(frozen=True)
class _Part:
    """One of the two histograms: a sentence, figures, and what fills its axes."""

    told: str
    numbers: dict[str, float]
    draw: Callable[[Any], None]


def _of_classes(real: Int[np.ndarray, "k"], fake: Int[np.ndarray, "k"], classes: int) -> _Part:
    hit, kl = int((fake > 0).sum()), divergence(fake, real)
    told = f"Samples show {hit} of {classes} classes; their histogram is {kl:.3g} nats from the training images'."
    numbers = {"classes_hit": float(hit), "class_kl_nats": kl}
    return _Part(told, numbers, lambda axes: _bars(axes, real / real.sum(), fake / fake.sum()))


def _of_bins(real: Int[np.ndarray, "k"], fake: Int[np.ndarray, "k"], unseen: Int[np.ndarray, "k"]) -> _Part:
    ndb, usual = (int(different(real, counts).sum()) for counts in (fake, unseen))
    told = (
        f"In {ndb} of {len(real)} bins of similar images the samples' share differs significantly (shaded); that of "
        f"held-out images does in {usual}."
    )
    return _Part(told, {"ndb": float(ndb)}, lambda axes: _bins(axes, real, fake))


def shown(probabilities: Float[np.ndarray, "n k"]) -> Int[np.ndarray, "k"]:
    """How many images are most probably of each class."""
    return np.bincount(probabilities.argmax(1), minlength=probabilities.shape[1])


def divergence(fake: Int[np.ndarray, "k"], real: Int[np.ndarray, "k"]) -> float:
    """KL(fake ‖ real) of two histograms in nats; a class without a real image counts as if it had one."""
    p = fake / fake.sum()
    q = np.maximum(real, 1) / np.maximum(real, 1).sum()
    hit = p > 0
    return float((p[hit] * np.log(p[hit] / q[hit])).sum())


def different(real: Int[np.ndarray, "k"], fake: Int[np.ndarray, "k"]) -> np.ndarray:
    """Where the shares of two histograms differ significantly: the two-proportion z-test, eq. 1 of the paper."""
    n, m = real.sum(), fake.sum()
    pooled = (real + fake) / (n + m)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return np.abs(fake / m - real / n) > _CERTAIN * error


def in_bins(context: AnalysisContext, bins: int) -> tuple[Int[np.ndarray, "k"], ...]:
    """How many training images, samples and held-out images are in each bin. Raises Unsuitable for too many bins."""
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(context.seed)
    training = context.real.training.images
    if bins > len(training):
        raise Unsuitable(f"class_histogram: {len(training)} training images make no {bins} bins; set fewer `bins`.")
    some = flat(training[np.sort(rng.permutation(len(training))[:_CLUSTERED_IMAGES])])
    centers = KMeans(bins, n_init=1, max_iter=100, random_state=context.seed).fit(some).cluster_centers_

    def count(x: Float[np.ndarray, "n d"]) -> Int[np.ndarray, "k"]:
        return np.bincount(nearest(x, centers)[1][:, 0], minlength=bins)

    return count(some), count(flat(context.samples.images)), count(flat(context.real.held_out.images))


def _drawn(drawings: list[Callable[[Any], None]]) -> UInt8[np.ndarray, "h w 3"]:
    def draw(figure: Any) -> None:
        for i, fill in enumerate(drawings):
            fill(plotting.panel(figure, 1, len(drawings), i + 1, y="share of images" if i == 0 else ""))

    return plotting.drawn(480 * len(drawings), 300, draw)


def _bars(axes: Any, real: Float[np.ndarray, "k"], fake: Float[np.ndarray, "k"]) -> None:
    place = np.arange(len(real))
    axes.bar(place - 0.2, real, 0.4, color=plotting.SOFT, label="training images")
    axes.bar(place + 0.2, fake, 0.4, color=plotting.ACCENT, label="samples")
    axes.set_xlabel("predicted class")
    axes.set_xticks(place[:: -(-len(place) // _TICKS)])
    axes.set_ylim(top=1.25 * max(real.max(), fake.max()))
    axes.legend(ncols=2, loc="upper right")


def _bins(axes: Any, real: Int[np.ndarray, "k"], fake: Int[np.ndarray, "k"]) -> None:
    """Shares of bins as steps, the fullest of the training images first."""
    order = np.argsort(-real, kind="stable")
    edges = np.arange(len(real) + 1)
    shares = [counts[order] / counts.sum() for counts in (real, fake)]
    for at in np.flatnonzero(different(real, fake)[order]):
        axes.axvspan(at, at + 1, color=plotting.WARM, alpha=0.16, linewidth=0)
    for share, color, label in zip(
        shares, (plotting.SOFT, plotting.ACCENT), ("training images", "samples"), strict=True
    ):
        axes.stairs(share, edges, color=color, label=label, linewidth=1.3)
    axes.set_xlabel("bin of similar images")
    axes.set_xlim(0, len(real))
    axes.set_ylim(0, 1.25 * max(share.max() for share in shares))
    axes.legend(ncols=2, loc="upper right")
