"""Disturbance: which scores notice that real images get worse (Heusel et al. 2017, arXiv:1706.08500, fig. 3)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic import AfterValidator, Field

from genpipe import plotting
from genpipe.analyses._disturbances import KINDS, Disturb
from genpipe.analyses._ranks import rank_correlation
from genpipe.analyses._scoring import named
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.dataset_info import Counts
from genpipe.interfaces.extractors import FeatureSet
from genpipe.nn.image_grid import grid
from genpipe.schema import Strict

SCORES = {"fid": "fid_", "inception_score": "is_"}
"""How the names of each metric's scores begin."""
Curves = Mapping[str, Float[np.ndarray, "l"]]
"""A score at each level, by its name."""


def _rising(levels: list[float]) -> list[float]:
    if levels[0] != 0 or any(b <= a for a, b in pairwise(levels)):
        raise ValueError("levels begin with 0 and rise: [0.0, 0.25, 0.5]")
    return levels


class MetricSensitivity(Analysis):
    """FID and Inception Score of held-out images under disturbances, and the rank correlation of each with the level.

    A score that notices a disturbance rises (FID: 1) or falls (IS: −1) with its level throughout. The model and its
    samples take no part.
    """

    class Config(Strict):
        kinds: Annotated[
            list[Literal["noise", "blur", "salt_and_pepper", "foreign", "repeats"]], Field(min_length=1)
        ] = ["noise", "blur", "salt_and_pepper", "foreign", "repeats"]
        levels: Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=3), AfterValidator(_rising)] = [
            0.0,
            0.1,
            0.2,
            0.3,
            0.4,
            0.5,
        ]
        """Weight of noise, deviation of blur in eighths of the side, share of pixels, share of images."""
        images: Annotated[int, Field(ge=2)] = 1000
        """At most so many of the held-out ones."""

    metrics = tuple(SCORES)

    @property
    def least_images(self) -> Counts:
        return Counts(held_out=10)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        held_out, rng = context.real.held_out, np.random.default_rng(context.seed)
        seen = held_out.part(rng.permutation(len(held_out.images))[: self.config.images])
        found = {kind: self._disturbed(context, seen, KINDS[kind][1]) for kind in self.config.kinds}
        numbers = {
            f"metric_sensitivity_{kind}_{prefix}rank_correlation": rank_correlation(
                np.array(self.config.levels), values
            )
            for kind, (_, curves) in found.items()
            for prefix, values in zip(SCORES.values(), curves.values(), strict=True)
        }
        names = {kind: KINDS[kind][0] for kind in found}
        size = (40 + 200 * len(found), 340)
        curves = {names[kind]: of_kind for kind, (_, of_kind) in found.items()}
        drawing = plotting.drawn(*size, lambda figure: _draw(figure, self.config.levels, curves))
        told = f"Scores of {len(seen.images):,} held-out images that are disturbed in rising levels."
        images = grid(np.concatenate([shown for shown, _ in found.values()]), len(self.config.levels))
        rows = (
            f"Held-out images at the levels {', '.join(f'{level:g}' for level in self.config.levels)}, two rows each: "
            f"{', '.join(names.values())}. Foreign images are made by exchanging the quarters of an image."
        )
        return AnalysisResult({"metric_sensitivity": (drawing, told), "disturbed_images": (images, rows)}, numbers)

    def _disturbed(self, context: AnalysisContext, seen: FeatureSet, disturb: Disturb) -> tuple[np.ndarray, Curves]:
        """Some images at each level, one row per image, and the scores at each level."""
        levels = self.config.levels
        where = (len(seen.images) * levels[-1] * np.array([0.25, 0.75])).astype(int)  # replaced at different levels
        shown, scores = [], []
        for level in levels:
            images = disturb(seen, level, np.random.default_rng(context.seed))
            shown.append(images[where])
            scores.append(context.scorer(context.extract(images), self.metrics))
        names = [named(scores[0], prefix)[0] for prefix in SCORES.values()]
        rows = np.stack(shown, axis=1).reshape(-1, *seen.images.shape[1:])
        return rows, {name: np.array([s[name] for s in scores]) for name in names}


def _draw(figure: Any, levels: Sequence[float], found: Mapping[str, Curves]) -> None:
    place = np.arange(len(levels))
    for column, (title, curves) in enumerate(found.items(), 1):
        for row, (name, values) in enumerate(curves.items()):
            head, left = "" if row else title, "" if column > 1 else name
            foot = "level" if row else ""
            axes = plotting.panel(
                figure, len(curves), len(found), row * len(found) + column, title=head, x=foot, y=left
            )
            axes.plot(place, values, "o-", color=(plotting.ACCENT, plotting.WARM)[row], markersize=4)
            axes.set_xticks(place, [f"{level:g}" for level in levels], fontsize=9)
            axes.set_xlim(-0.5, len(levels) - 0.5)
            axes.set_ylim(0, 1.1 * max(values))
            axes.locator_params(axis="y", nbins=4)
