"""Analyses of a trained model."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from genpipe.interfaces.extractors import FeatureSet, Real, pixels_only
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.judges import Judge


@dataclass(frozen=True)
class AnalysisContext:
    """The input of an analysis: a trained model, its samples, its training data, and the scores."""

    model: Generative
    samples: FeatureSet
    real: Real
    seed: int
    extract: Callable[[np.ndarray], FeatureSet] = pixels_only
    """Returns the extractor's features of uint8 images [n c h w]."""
    scorer: Callable[[FeatureSet, Sequence[str]], Mapping[str, float]] = lambda images, metrics: {}
    """The scores of images by name, as `evaluate` makes them of samples, of those metrics that are named."""
    curves: Sequence[Mapping[str, float]] = ()
    """The curves of the training: a row per logged step, with `step` among the columns."""
    scores_by_step: Sequence[Mapping[str, float]] = ()
    """The scores of samples during the training, in the same form."""


@dataclass(frozen=True)
class AnalysisResult:
    """The result of an analysis: pictures with captions, and figures, by name; frames [f h w c] are an animation."""

    pictures: Mapping[str, tuple[UInt8[np.ndarray, "*f h w c"], str]] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)


class Analysis(Judge, ABC):
    """A latent tool or a check of a claim, for every model with the capabilities that it requires."""

    requires: ClassVar[tuple[type, ...]] = ()
    metrics: ClassVar[tuple[str, ...]] = ()
    """Those that it asks the subject's scorer for; the experiment needs them among its own."""
    sees_outliers: ClassVar[bool] = False
    """Whether the held-out images are to be those of classes without training images too."""

    @abstractmethod
    def run(self, context: AnalysisContext) -> AnalysisResult:
        """Returns pictures and figures."""
