"""What the analyses of an experiment look at, and what they find."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Int, UInt8

from genpipe import registry
from genpipe.config.project import Experiment
from genpipe.evaluation.references import Reference
from genpipe.interfaces.analyses import AnalysisContext, AnalysisResult
from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.translation import IMAGE
from genpipe.sampling.conditions import conditions_of, held_out_conditions, items
from genpipe.sampling.drawing import generate_samples

Scorer = Callable[[FeatureSet, Sequence[str]], Mapping[str, float]]


def analysis_context(
    model: Generative, reference: Reference, samples: FeatureSet, real: Real, seed: int, scorer: Scorer
) -> AnalysisContext:
    """Returns what analyses look at, through one extractor of the data set."""
    prepared = reference.prepared

    def draw(n: int) -> UInt8[np.ndarray, "n c h w"]:
        return generate_samples(model, n, seed=seed, conditions=held_out_conditions(model, prepared, n))

    def draw_for(rows: Int[np.ndarray, "k"]) -> UInt8[np.ndarray, "k c h w"]:
        return generate_samples(model, len(rows), seed=seed, conditions=conditions_of(model, prepared, rows))

    def stored(split: str, name: str) -> np.ndarray:
        return prepared.images(split) if name == IMAGE else prepared.field(split, name)

    return AnalysisContext(
        model,
        samples,
        real,
        seed,
        extract=lambda images: reference.extractor.extract(images),
        scorer=scorer,
        draw=draw,
        conditions=lambda n: items(model, prepared)[:n],
        draw_for=draw_for,
        held_out_field=lambda name: stored("test", name),
        training_field=lambda name: stored("train", name),
    )


def analyzed(experiment: Experiment, context: AnalysisContext, everything: Real) -> AnalysisResult:
    """Returns what all analyses found; some see all real images."""
    made = [registry.load("analyses", name)(config) for name, config in experiment.analyses.items()]
    found = [one.run(replace(context, real=everything) if one.sees_all else context) for one in made]
    pictures = {name: picture for findings in found for name, picture in findings.pictures.items()}
    return AnalysisResult(pictures, {name: value for findings in found for name, value in findings.numbers.items()})
