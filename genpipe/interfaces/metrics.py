"""Scores of images against real ones."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from genpipe.interfaces.dataset_info import DatasetInfo
from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.judges import Judge


@dataclass(frozen=True)
class Score:
    """One figure and how it was computed."""

    value: float
    how: Mapping[str, object] = field(default_factory=dict)
    interval: tuple[float, float] | None = None
    """The 95 % confidence interval, from the variation over disjoint subsets of the images."""


MetricInput = Literal["features", "probabilities", "pixels", "labels", "pixel pairs", "feature pairs"]
"""Pairs: image k of the given images should equal image k of the held-out images."""


RealSplit = Literal["none", "train", "test", "train and test"]
"""Real images: those that the model was trained on, and those that it never saw."""


class Metric(Judge, ABC):
    """A score of images against real ones."""

    title: ClassVar[str]
    meaning: ClassVar[str]
    """Two sentences for the report: what it measures, and what it misses."""
    lower_is_better: ClassVar[bool | None]
    """None if neither end of the scale is better."""
    input: ClassVar[MetricInput] = "features"
    """What of the features decides the score; it is made for every extractor that gives that, of pixels only once."""

    least_pixels: ClassVar[int] = 1
    """The smallest side of images that it can score."""
    by_step: ClassVar[bool] = False
    """Whether samples during the training are scored too, which makes a curve."""
    real_split: ClassVar[RealSplit] = "train"
    """The real images with which it compares others."""
    gives_nothing: ClassVar[str] = ""
    """When it has no score for as many images as it needs at least, for whoever misses it."""

    def unmet_requirement(self, info: DatasetInfo) -> str | None:
        side = min(info.spec.height, info.spec.width)
        told = f"needs images of {self.least_pixels} pixels a side, these have {side}; remove it."
        return told if side < self.least_pixels else None

    @abstractmethod
    def scores(self, images: FeatureSet, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        """Returns scores by name; each name ends with the extractor: "fid_classifier".

        A deviation is called like its score with "_std" appended.
        """
