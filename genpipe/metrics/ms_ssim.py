"""Diversity as the structural similarity of pairs of samples (Odena et al. 2017, arXiv:1610.09585, section 4.2)."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from jaxtyping import Int
from pydantic import Field

from genpipe.interfaces.dataset_info import Counts
from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.metrics import Metric, Score
from genpipe.metrics._structure import ms_ssim, scales
from genpipe.metrics._subsets import by_content, interval
from genpipe.schema import Strict


class MSSSIMDiversity(Metric):
    """Mean MS-SSIM of random pairs of images, and of pairs within a class where labels are known."""

    class Config(Strict):
        pairs: Annotated[int, Field(ge=2)] = 1000
        """Drawn, no image being in two of them; fewer where there are fewer images."""

    title = "Likeness of samples (MS-SSIM)"
    meaning = (
        "How alike two random images of the set are in structure: 1 if all are the same picture, lower when they vary. "
        "To be read beside the figure of real images, for noise is the most varied of all; variation in color or in "
        "class that leaves the structure as it is is missed."
    )
    lower_is_better = True
    input = "pixels"
    least_pixels = 11

    @property
    def least_images(self) -> Counts:
        return Counts(samples=4)

    def scores(self, images: FeatureSet, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        order = by_content(images.images)
        kinds = {"ms_ssim_diversity_pixels": np.zeros(len(order), np.int64)}
        if images.labels is not None:
            kinds["ms_ssim_class_diversity_pixels"] = np.asarray(images.labels)[order]
        found = {}
        for name, groups in kinds.items():
            pairs = order[pairs_within(groups, self.config.pairs, seed)]
            if len(pairs) >= 2:
                found[name] = _score(images.images, pairs, seed)
        return found


def pairs_within(groups: Int[np.ndarray, "n"], count: int, seed: int) -> Int[np.ndarray, "m 2"]:
    """At most `count` random pairs of different items of one group, no item being in two of them."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(groups))
    members = [shuffled[groups[shuffled] == group] for group in np.unique(groups)]
    pairs = np.concatenate([m[: len(m) // 2 * 2].reshape(-1, 2) for m in members])
    return rng.permutation(pairs)[:count]


def _score(images: np.ndarray, pairs: Int[np.ndarray, "m 2"], seed: int) -> Score:
    similarity = ms_ssim(images[pairs[:, 0]], images[pairs[:, 1]])
    value = float(similarity.mean())
    how = {"pairs": len(pairs), "scales": scales(*images.shape[2:])}
    return Score(value, how, interval(value, similarity))
