"""How near samples lie to training images, and how near unseen real images do."""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float

from genpipe.interfaces.metrics import Score
from genpipe.metrics._subsets import disjoint_pairs, interval
from genpipe.nn.neighbors import nearest

Distances = Float[np.ndarray, "n"]


def compared(
    points: tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "m d"], Float[np.ndarray, "t d"]],
    closest_share: float,
    subsets: int,
    seed: int,
    ending: str,
) -> Mapping[str, Score]:
    """The scores of memorization of given, unseen and training points, each name with the ending.

    The intervals compare subsets of the given with as many subsets of the unseen points.
    """
    given, unseen, training = points
    # Sorted, so that the order of the images does not decide the subsets.
    found, usual = (np.sort(nearest(queries, training)[0][:, 0]) for queries in (given, unseen))
    groups = disjoint_pairs(len(found), len(usual), subsets, seed)

    def score(figure: Callable[[Distances, Distances], float], **how: object) -> Score:
        value = figure(found, usual)
        return Score(value, how, interval(value, [figure(found[i], usual[j]) for i, j in groups]))

    return {
        f"memorization_{ending}": score(lambda f, u: share_nearer(f, u, closest_share), closest_share=closest_share),
        f"data_copying_{ending}": score(share_of_pairs_nearer),
        f"nearest_training_{ending}": score(lambda f, _: float(f.mean())),
    }


def share_nearer(found: Float[np.ndarray, "n"], unseen: Float[np.ndarray, "m"], closest_share: float) -> float:
    """The share of distances at or below the given quantile of the unseen images' distances."""
    return float(np.mean(found <= np.quantile(unseen, closest_share)))


def share_of_pairs_nearer(found: Float[np.ndarray, "n"], unseen: Float[np.ndarray, "m"]) -> float:
    """P(found < unseen) + ½ P(found = unseen): the Mann-Whitney statistic U over the number of pairs.

    ½ without copying. C_T of Meehan et al. 2020 (arXiv:2004.05675) is the same, for each cell of space on its own,
    counted in deviations of U and with the sign turned: below 0 where samples are copies.
    """
    ordered = np.sort(unseen)
    farther = len(unseen) - np.searchsorted(ordered, found, "right")
    ties = len(unseen) - np.searchsorted(ordered, found, "left") - farther
    return float(np.mean(farther + ties / 2) / len(unseen))
