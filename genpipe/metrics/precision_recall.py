"""Precision and recall (Kynkäänniemi et al. 2019, arXiv:1904.06991), density and coverage (Naeem et al. 2020)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf
from typing import Annotated

import numpy as np
from jaxtyping import Float
from pydantic import Field

from genpipe.interfaces import Counts, Evidence, Metric, Real, Score
from genpipe.metrics._balls import Balls, balls, held, of_evidence
from genpipe.metrics._subsets import SUBSETS, by_content, disjoint_pairs, interval, origin
from genpipe.schema import Strict

__all__ = ["Overlap", "PrecisionRecall", "compare", "statistics"]

Neighbours = Annotated[int, Field(ge=1)]


class PrecisionRecall(Metric):
    """What of the images lies among the real ones, and the reverse, by balls to the k-th nearest neighbours.

    Precision and recall: eqs. 1 and 2 of arXiv:1904.06991. Density and coverage: section 3 of arXiv:2002.09797. None of
    as few images as neighbours.
    """

    class Config(Strict):
        k_precision_recall: Neighbours = 3
        """To which nearest neighbour a ball reaches."""
        k_density_coverage: Neighbours = 5

    title = "Precision, recall, density and coverage"
    meaning = (
        "Precision is the share of images that lie among the real ones and density how thickly real ones lie there; "
        "recall is the share of real images that lie among the generated ones, and coverage the share that has one "
        "nearby. A single outlier reaches far and makes precision and recall too high, and copies do well in all four."
    )
    lower_is_better = False
    lowered = {"k_precision_recall": 1, "k_density_coverage": 1}

    @property
    def least_images(self) -> Counts:
        most = max(self.config.k_precision_recall, self.config.k_density_coverage) + 1
        return Counts(training=most, samples=most)

    def scores(self, images: Evidence, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        ks = (self.config.k_precision_recall, self.config.k_density_coverage)
        if min(len(images.features), len(real.training.features)) <= max(ks):
            return {}
        whole = asdict(compare(balls(images.features, ks), of_evidence(real.training, ks)))
        x, y = (one.features[by_content(one.images)] for one in (images, real.training))
        subsets = disjoint_pairs(len(x), len(y), SUBSETS, seed, least=max(ks) + 1)
        parts = [asdict(compare(balls(x[i], ks), balls(y[j], ks))) for i, j in subsets]
        made = {}
        for name, value in whole.items():
            of_parts = [part[name] for part in parts]
            how = {"k": ks[name in ("density", "coverage")], **origin(of_parts)}
            made[f"{name}_{extractor}"] = Score(
                value, how, interval(value, of_parts, 0.0, inf if name == "density" else 1.0)
            )
        return made


@dataclass(frozen=True)
class Overlap:
    """How two sets lie in one another; all from 0 to 1 but density, which has no upper end."""

    precision: float
    recall: float
    density: float
    coverage: float


def statistics(features: Float[np.ndarray, "n d"], k_precision_recall: int = 3, k_density_coverage: int = 5) -> Balls:
    """Balls around the features of a set, generated or real. Raises ValueError if it is not larger than both k."""
    return balls(features, (k_precision_recall, k_density_coverage))


def compare(fake: Balls, real: Balls) -> Overlap:
    """Precision, recall, density and coverage of generated images among real ones; on the edge of a ball is within."""
    real_balls, fake_balls = held(real, fake)
    return Overlap(
        precision=float((real_balls.by_point[:, 0] > 0).mean()),
        recall=float((fake_balls.by_point[:, 0] > 0).mean()),
        density=float(real_balls.by_point[:, 1].mean() / real.ks[1]),
        coverage=float((real_balls.by_ball[:, 1] > 0).mean()),
    )
