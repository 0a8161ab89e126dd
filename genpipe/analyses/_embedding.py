"""Points of a plane for rows of many numbers, and what draws them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from genpipe import plotting
from genpipe.errors import Unsuitable


def plane(
    real: Float[np.ndarray, "n d"], fake: Float[np.ndarray, "m d"], seed: int
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "m 2"], float]:
    """Both in the two largest principal components of the real ones, and these components' share of the variance."""
    from sklearn.decomposition import PCA

    fit = PCA(2, svd_solver="arpack" if min(real.shape) > 2 else "full", random_state=seed).fit(real)
    return fit.transform(real), fit.transform(fake), float(fit.explained_variance_ratio_.sum())


def neighborly(x: Float[np.ndarray, "n d"], start: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """t-SNE (van der Maaten & Hinton 2008) from points of a plane on [n 2]. Raises Unsuitable for too few rows."""
    from sklearn.manifold import TSNE

    if perplexity >= len(x):
        raise Unsuitable(f"perplexity {perplexity:g} needs more than {len(x)} images; lower it.")
    small = (start * (1e-4 / start[:, 0].std())).astype(np.float32)
    return TSNE(2, perplexity=perplexity, init=small, random_state=seed).fit_transform(x)


def umap_of(x: Float[np.ndarray, "n d"], neighbors: int, seed: int) -> Float[np.ndarray, "n 2"]:
    """UMAP (McInnes et al. 2018, arXiv:1802.03426) of rows. Raises Unsuitable where its package is not installed."""
    try:
        from umap import UMAP
    except ImportError:
        raise Unsuitable(
            "`method: umap` needs another package: pip install 'genpipe[umap]', or take `method: tsne`."
        ) from None
    return np.asarray(UMAP(n_neighbors=neighbors, random_state=seed).fit_transform(x), np.float64)


def scattered(groups: Mapping[str, Float[np.ndarray, "_ 2"]], colors: Mapping[str, str]) -> UInt8[np.ndarray, "h w 3"]:
    """A drawing of groups of points, each in its color, with a legend above."""
    return plotting.drawn(480, 400 + 18 * (len(groups) // 6), lambda figure: _draw(figure, groups, colors))


def _draw(figure: Any, groups: Mapping[str, np.ndarray], colors: Mapping[str, str]) -> None:
    axes = plotting.panel(figure)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    for label, points in groups.items():
        look = {"markersize": 3.2, "alpha": 0.45, "markeredgewidth": 0}
        axes.plot(*points.T, "o", color=colors[label], label=label, **look)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal", "datalim")
    if len(groups) > 1:
        columns = min(len(groups), 5)
        legend = figure.legend(loc="outside upper center", ncols=columns, markerscale=2, handletextpad=0.2)
        for handle in legend.legend_handles:
            handle.set_alpha(1)
