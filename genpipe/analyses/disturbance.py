"""Disturbance: which scores notice that real images get worse (Heusel et al. 2017, arXiv:1706.08500, fig. 3)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic import AfterValidator, Field

from genpipe.analyses import _plots
from genpipe.analyses._disturbing import KINDS, Disturb
from genpipe.analyses._scoring import chosen, named
from genpipe.interfaces import Analysis, Evidence, Findings, Subject
from genpipe.nn.pictures import grid
from genpipe.schema import Strict

SCORES = {"fid": "fid_", "inception_score": "is_"}
"""How the names of each metric's scores begin."""
_SHOWN_IMAGES = 4
Curves = Mapping[str, Float[np.ndarray, "l"]]
"""A score at each level, by its name."""


def _rising(levels: list[float]) -> list[float]:
    if levels[0] != 0 or any(b <= a for a, b in pairwise(levels)):
        raise ValueError("levels begin with 0 and rise: [0.0, 0.25, 0.5]")
    return levels


class Disturbance(Analysis):
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

    def run(self, subject: Subject) -> Findings:
        held_out, rng = subject.real.held_out, np.random.default_rng(subject.seed)
        seen = chosen(held_out, rng.permutation(len(held_out.images))[: self.config.images])
        found = {kind: self._disturbed(subject, seen, KINDS[kind][1]) for kind in self.config.kinds}
        numbers = {
            f"disturbance_{kind}_{prefix}rank_correlation": rank_correlation(np.array(self.config.levels), values)
            for kind, (_, curves) in found.items()
            for prefix, values in zip(SCORES.values(), curves.values(), strict=True)
        }
        titled = {KINDS[kind][0]: result for kind, result in found.items()}
        size = (40 + 200 * len(found), 470)
        picture = _plots.drawn(*size, lambda figure: _draw(figure, self.config.levels, titled))
        caption = (
            f"Scores of {len(seen.images):,} held-out images, disturbed in rising levels; above, the first of them at "
            "each level. Foreign images are made by exchanging the quarters of an image."
        )
        return Findings({"disturbance": (picture, caption)}, numbers)

    def _disturbed(self, subject: Subject, seen: Evidence, disturb: Disturb) -> tuple[np.ndarray, Curves]:
        """A picture of the first images, a column a level, and the scores at each level."""
        shown, scores = [], []
        for level in self.config.levels:
            images = disturb(seen, level, np.random.default_rng(subject.seed))
            shown.append(images[:_SHOWN_IMAGES])
            scores.append(subject.scorer(subject.see(images), self.metrics))
        columns = np.stack(shown, axis=1).reshape(-1, *seen.images.shape[1:])
        names = [named(scores[0], prefix)[0] for prefix in SCORES.values()]
        return grid(columns, len(shown)), {name: np.array([s[name] for s in scores]) for name in names}


def rank_correlation(x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]) -> float:
    """Spearman's: 1 where y rises with x throughout, −1 where it falls, 0 where either is constant."""
    a, b = _ranks(x), _ranks(y)
    spread = np.sqrt(np.square(a).sum() * np.square(b).sum())
    return float((a * b).sum() / spread) if spread else 0.0


def _ranks(values: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Ranks about their mean; equal values share one."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return np.asarray(ranks - ranks.mean())


def _draw(figure: Any, levels: Sequence[float], found: Mapping[str, tuple[np.ndarray, Curves]]) -> None:
    rows = figure.add_gridspec(3, len(found), height_ratios=(1.0, 1.0, 1.0))
    place = np.arange(len(levels))
    for column, (title, (shown, curves)) in enumerate(found.items()):
        strip = _plots.panel(figure, rows[0, column], title=title)
        strip.imshow(shown if shown.shape[2] == 3 else shown[..., 0], cmap="gray", vmin=0, vmax=255, aspect="equal")
        strip.set_axis_off()
        for row, (name, values) in enumerate(curves.items()):
            colour = (_plots.ACCENT, _plots.WARM)[row]
            axes = _plots.panel(figure, rows[row + 1, column], y="" if column else name, x="level" if row else "")
            axes.plot(place, values, "o-", color=colour, markersize=4)
            axes.set_xticks(place, [f"{level:g}" for level in levels], fontsize=9)
            axes.set_xlim(-0.5, len(levels) - 0.5)
            axes.set_ylim(0, 1.1 * max(values))
            axes.locator_params(axis="y", nbins=4)
