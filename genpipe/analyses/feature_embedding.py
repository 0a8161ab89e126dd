"""Feature embedding: real and generated images as points of a plane."""

from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from genpipe.analyses import _plots
from genpipe.errors import Unsuitable
from genpipe.interfaces import Analysis, Findings, Subject
from genpipe.schema import Strict


class FeatureEmbedding(Analysis):
    """The features of training images and samples in two dimensions.

    The plane of `principal_components` is that of the training images alone, so that experiments on the same data share
    it; `tsne` (van der Maaten & Hinton 2008) keeps neighbours together, and its distances across the picture mean
    nothing.
    """

    class Config(Strict):
        method: Literal["principal_components", "tsne"] = "principal_components"
        images: Annotated[int, Field(ge=2)] = 2000
        """At most so many of the training images, and of the samples."""
        perplexity: Annotated[float, Field(gt=0)] = 30.0
        """Of tsne: about how many neighbours count."""

    def run(self, subject: Subject) -> Findings:
        rng = np.random.default_rng(subject.seed)
        real, fake = (
            e.features[np.sort(rng.permutation(len(e.features))[: self.config.images])].astype(np.float64)
            for e in (subject.real.training, subject.samples)
        )
        if self.config.method == "tsne":
            x, y = _neighbourly(real, fake, self.config.perplexity, subject.seed)
            told, numbers = f"by t-SNE (perplexity {self.config.perplexity:g}), in which only neighbourhood counts", {}
        else:
            x, y, share = plane(real, fake, subject.seed)
            told = f"in the plane of the training images' two main components, with {share:.0%} of their variance"
            numbers = {"embedding_variance_share": share}
        picture = _plots.drawn(480, 400, lambda figure: _draw(figure, x, y))
        caption = f"Features of {len(x):,} training images and {len(y):,} samples {told}."
        return Findings({"feature_embedding": (picture, caption)}, numbers)


def plane(
    real: Float[np.ndarray, "n d"], fake: Float[np.ndarray, "m d"], seed: int
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "m 2"], float]:
    """Both in the two largest principal components of the real ones, and these components' share of the variance."""
    from sklearn.decomposition import PCA

    fit = PCA(2, svd_solver="arpack" if min(real.shape) > 2 else "full", random_state=seed).fit(real)
    return fit.transform(real), fit.transform(fake), float(fit.explained_variance_ratio_.sum())


def _neighbourly(real: np.ndarray, fake: np.ndarray, perplexity: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.manifold import TSNE

    both = np.concatenate([real, fake])
    if perplexity >= len(both):
        raise Unsuitable(f"feature_embedding: perplexity {perplexity:g} needs more than {len(both)} images.")
    start = np.concatenate(plane(real, fake, seed)[:2])
    small = (start * (1e-4 / start[:, 0].std())).astype(np.float32)
    points = TSNE(2, perplexity=perplexity, init=small, random_state=seed).fit_transform(both)
    return points[: len(real)], points[len(real) :]


def _draw(figure: Any, real: np.ndarray, fake: np.ndarray) -> None:
    axes = _plots.panel(figure)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    for points, colour, label in ((real, _plots.SOFT, "training images"), (fake, _plots.ACCENT, "samples")):
        axes.plot(*points.T, "o", color=colour, markersize=3.2, alpha=0.45, markeredgewidth=0, label=label)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal", "datalim")
    legend = axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=2, markerscale=2)
    for handle in legend.legend_handles:
        handle.set_alpha(1)
