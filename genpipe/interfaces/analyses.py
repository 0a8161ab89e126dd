"""Analyses of a trained model."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Int, UInt8

from genpipe.interfaces.extractors import FeatureSet, Real, pixels_only
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.judges import Judge


def _nothing(_: Any) -> np.ndarray:
    raise LookupError("neither a data set nor a way to draw was given")


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
    draw: Callable[[int], UInt8[np.ndarray, "n c h w"]] = _nothing
    """Returns that many samples at most, drawn as those that are scored, with the model's present options."""
    conditions: Callable[[int], Int[np.ndarray, "k"]] = _nothing
    """Returns the numbers of at most so many held-out items for which the model generates images."""
    draw_for: Callable[[Int[np.ndarray, "k"]], UInt8[np.ndarray, "k c h w"]] = _nothing
    """Returns an image for the condition of each of these held-out items, by their numbers."""
    held_out_field: Callable[[str], np.ndarray] = _nothing
    """Returns a field of all held-out items [n *shape] by its name, as it is stored; `x` is their images."""
    training_field: Callable[[str], np.ndarray] = _nothing
    """The same of all training items."""
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
    metrics: tuple[str, ...] = ()
    """Those that it asks the subject's scorer for; the experiment needs them among its own."""
    sees_all: ClassVar[bool] = False
    """Whether it sees all real images, of classes without training images and of all domains too."""

    def unsuited(self, model_class: type[Generative]) -> str | None:
        """Returns what else it cannot do with a model, and a remedy; None if nothing."""
        return None

    @abstractmethod
    def run(self, context: AnalysisContext) -> AnalysisResult:
        """Returns pictures and figures."""
