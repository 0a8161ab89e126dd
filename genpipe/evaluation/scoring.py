"""Scores and pictures of an experiment, each score with its protocol."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from genpipe import __version__, paths, registry
from genpipe.artifacts.models import load_trained
from genpipe.config.project import Experiment, Project
from genpipe.errors import ModelWarning
from genpipe.evaluation import features
from genpipe.evaluation.analyzing import Scorer, analysis_context, analyzed
from genpipe.evaluation.extractor_training import extractor_trainer
from genpipe.evaluation.references import Reference, load_references
from genpipe.files import atomic_directory, write_json
from genpipe.interfaces.dataset_info import Counts
from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.metrics import Metric, Score
from genpipe.interfaces.translation import TranslatesDomains
from genpipe.provenance import run_key
from genpipe.sampling.drawing import load_samples, requested_labels, save_picture
from genpipe.schema import Strict
from genpipe.training.callbacks import Row
from genpipe.training.curves import read_curves, write_curves
from genpipe.training.snapshots import load_snapshots

VERSIONS = {"genpipe": __version__, "torch": str(torch.__version__), "numpy": np.__version__}


@dataclass(frozen=True)
class View:
    """Images with the features of one extractor."""

    extractor: str
    """A file of genpipe/extractors."""
    described: Mapping[str, Any]
    """The facts that identify the extractor."""
    real: Real
    generated: FeatureSet
    """The images that are scored."""
    real_baseline: FeatureSet | None
    """Real images to score in their place, if there are any."""
    pairs: tuple[FeatureSet, FeatureSet] | None = None
    """Images and what each of them should be, if a metric needs them: reconstructions or translations, and the real."""


def evaluate(project: Project, experiment: Experiment) -> None:
    """Writes the scores and the pictures of an experiment.

    The scores are flat, name to number; `how` says of each what made it and what real held-out images score. A figure
    that is NaN or infinite is null, and a warning names it.
    """
    references = load_references(project, experiment.data.name)
    model = load_trained(project.root, experiment)
    views = [view(project, experiment, reference, model) for reference in references]
    by_step, told = _without_gaps(_scored_by_step(project, experiment, references, model))
    write_curves(by_step, project.root / paths.score_curves(experiment.name))
    curves = read_curves(project.root / paths.curves(experiment.name))
    scorer = scorer_of(experiment.metrics, views[0], project.index.seed)
    context = analysis_context(model, references[0], views[0].generated, views[0].real, project.index.seed, scorer)
    findings = analyzed(experiment, replace(context, curves=curves, scores_by_step=by_step), references[0].real)
    with atomic_directory(project.root / paths.figures(experiment.name)) as folder:
        for name, (picture, _) in findings.pictures.items():
            save_picture(picture, folder / f"{name}.png")
    scores, how = scored(experiment.metrics, views, project.index.seed)
    numbers = {name: significant(value) for name, value in findings.numbers.items()}
    figures, more = finite({**scores, **numbers, "parameters": sum(p.numel() for p in model.parameters())})
    more += [f"{name} gives no score: {why}" for name, why in unscored(experiment.metrics, views, how).items()]
    about = {
        "model": experiment.model_name,
        "data": experiment.data.name,
        "seed": experiment.knobs.seed,
        "device": str(model.device),
        "key": run_key(project, experiment),
        "versions": VERSIONS,
        "figures": {f"{name}.png": caption for name, (_, caption) in findings.pictures.items()},
    }
    for text in (*told, *more):
        warnings.warn(text, ModelWarning, stacklevel=2)
    write_json(project.root / paths.metrics(experiment.name), figures)
    write_json(project.root / paths.scores(experiment.name), {**figures, "how": {**about, **how}})


def scorer_of(metrics: Mapping[str, Strict], one: View, seed: int) -> Scorer:
    """Returns what scores further images by some of these metrics; image k stands for sample k, also in pairs."""

    def score(images: FeatureSet, names: Sequence[str]) -> Mapping[str, float]:
        pairs = one.pairs
        if pairs and pairs[0] is one.generated:
            pairs = images, pairs[1].part(slice(len(images.images)))
        seen = replace(one, generated=images, real_baseline=None, pairs=pairs)
        return scored({name: metrics[name] for name in names}, [seen], seed)[0]

    return score


def view(project: Project, experiment: Experiment, reference: Reference, model: Generative) -> View:
    """Returns an experiment's images with an extractor's features, which are cached.

    Held-out images of classes that are not trained on take no part, and of several domains only the one into which
    the model translates. Raises DataError if there are no samples.
    """
    samples = load_samples(project.root / paths.samples(experiment.name))
    some = _of_trained_classes(reference)
    held_out = reference.real.held_out if some is None else reference.real.held_out.part(some)
    real = Real(reference.real.training, held_out, extractor_trainer(project, experiment.data.name))
    generated = _seen(project, experiment, reference, "generated", samples.images, samples.labels)
    wanted = any(of_pairs(registry.load("metrics", name)) for name in experiment.metrics)
    pairs = None
    if wanted and samples.reconstructions is not None:
        labels = reference.real.held_out.labels
        rebuilt = _seen(project, experiment, reference, "reconstructions", samples.reconstructions, labels)
        pairs = rebuilt if some is None else rebuilt.part(some), held_out
    elif wanted and samples.rows is not None:
        pairs = generated, reference.real.held_out.part(np.asarray(samples.rows))
    real = _of_target(real, model)
    return View(reference.name, reference.described, real, generated, real.held_out, pairs)


def _of_target(real: Real, model: Generative) -> Real:
    """The real images of the domain into which a model translates; all of them for other models."""
    if not isinstance(model, TranslatesDomains):
        return real
    training, held_out = (
        images.part(np.flatnonzero(np.asarray(images.factors[model.domain]) == model.target))
        for images in (real.training, real.held_out)
    )
    return replace(real, training=training, held_out=held_out)


def _of_trained_classes(reference: Reference) -> Int[np.ndarray, "n"] | None:
    """The rows of the held-out images of classes that are trained on; None if all are."""
    spec, labels = reference.prepared.spec, reference.real.held_out.labels
    return np.flatnonzero(np.isin(labels, spec.trained)) if spec.untrained and labels is not None else None


def _scored_by_step(
    project: Project, experiment: Experiment, references: Sequence[Reference], model: Generative
) -> list[Row]:
    """The scores of the samples that were drawn during the training, one row per step."""
    steps, snapshots = load_snapshots(project.root / paths.snapshots(experiment.name))
    rows: list[Row] = [{"step": float(step)} for step in steps]
    chosen = {k: v for k, v in experiment.metrics.items() if registry.load("metrics", k).by_step}
    for reference in references if rows and chosen else ():
        classes = requested_labels(model, len(snapshots[0]))
        labels = None if classes is None else np.tile(classes, len(steps))
        real = _of_target(reference.real, model)
        together = _seen(project, experiment, reference, "snapshots", np.concatenate(snapshots), labels)
        for k, row in enumerate(rows):
            mine = together.part(slice(k * len(snapshots[k]), (k + 1) * len(snapshots[k])))
            view = View(reference.name, reference.described, real, mine, None)
            row |= scored(chosen, [view], project.index.seed)[0]
    return rows


def _seen(
    project: Project,
    experiment: Experiment,
    reference: Reference,
    kind: str,
    images: np.ndarray,
    labels: np.ndarray | None = None,
) -> FeatureSet:
    """What an extractor sees in images of an experiment, which is kept."""
    folder = project.root / paths.features(experiment.name) / reference.name / kind
    return features.extract_cached(
        images, labels, folder, features.key_of(reference.key, images), lambda: reference.extractor
    )


def scored(metrics: Mapping[str, Strict], views: Sequence[View], seed: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Returns all scores by name, and the protocol of each."""
    scores: dict[str, float] = {}
    how: dict[str, Any] = {}
    for name, config in metrics.items():
        metric = registry.load("metrics", name)(config)
        for one in _lookers(metric, views):
            made, floor = _made(metric, one, seed)
            protocol = {"metric": name, **_protocol(metric, one, seed)}
            scores |= {key: significant(score.value) for key, score in made.items()}
            how |= {
                key: protocol | _told(score, floor.get(key)) for key, score in made.items() if not key.endswith("_std")
            }
    return scores, how


def unscored(metrics: Mapping[str, Strict], views: Sequence[View], how: Mapping[str, Any]) -> dict[str, str]:
    """Returns the reason for each metric that gave no score."""
    silent = set(metrics) - {one["metric"] for one in how.values()}
    return {name: _silence(registry.load("metrics", name)(metrics[name]), views) for name in metrics if name in silent}


def _silence(metric: Metric, views: Sequence[View]) -> str:
    if metric.input == "probabilities" and not list(_lookers(metric, views)):
        return "no extractor gives class probabilities"
    real, images = views[0].real, views[0].generated.images
    there = Counts(len(real.training.images), len(real.held_out.images), len(images))
    short = there.short_of(metric.least_images)
    return f"it needs {short}" if short else metric.gives_nothing


def _lookers(metric: Metric, views: Sequence[View]) -> Iterator[View]:
    """Through which extractors a metric looks: one will do if it looks at none of their features."""
    if metric.input in ("features", "feature pairs"):
        yield from views
    elif metric.input == "probabilities":
        yield from (one for one in views if one.real.training.probabilities is not None)
    elif metric.input == "labels":  # an extractor that was trained on them knows the classes
        yield from [one for one in views if "extractor_accuracy" in one.described][:1]
    else:
        yield from views[:1]


def _made(metric: Metric, one: View, seed: int) -> tuple[Mapping[str, Score], Mapping[str, Score]]:
    """The scores of the images, and those of real images in their place."""
    extractor = one.extractor
    if of_pairs(metric):
        assert one.pairs, "a metric of pairs is refused where there are none"
        images, truth = one.pairs
        return metric.scores(images, replace(one.real, held_out=truth), extractor, seed), {}
    made = metric.scores(one.generated, one.real, extractor, seed)
    return made, metric.scores(one.real_baseline, one.real, extractor, seed) if made and one.real_baseline else {}


def _protocol(metric: Metric, one: View, seed: int) -> dict[str, Any]:
    """What must agree before two scores compare, and what the report says of them."""
    by_pixels = metric.input in ("pixels", "pixel pairs")
    images = one.pairs[0] if of_pairs(metric) and one.pairs else one.generated
    return {
        "title": metric.title,
        "meaning": metric.meaning,
        "lower_is_better": metric.lower_is_better,
        **({"extractor": "pixels"} if by_pixels else one.described),
        "rounding": "uint8",
        "seed": seed,
        "real_split": metric.real_split,
        "training_images": len(one.real.training.images),
        "held_out_images": len(one.real.held_out.images),
        "fake_images": len(images.images),
        **({} if by_pixels else {"feature_dimensions": one.real.training.features.shape[1]}),
    }


def finite(figures: Mapping[str, float]) -> tuple[dict[str, float | None], list[str]]:
    """Returns the figures, with None for NaN and infinite ones, and a sentence on each of these."""
    kept = {name: value if isfinite(value) else None for name, value in figures.items()}
    lost = [name for name, value in kept.items() if value is None]
    return kept, [f"{name} is {figures[name]}, which is no figure, and is left out." for name in lost]


def _without_gaps(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Scores by step without those that are NaN or infinite, and a sentence on each of these."""
    told = [f"step {row['step']:.0f}: {text}" for row in rows for text in finite(row)[1]]
    return [{name: value for name, value in row.items() if isfinite(value)} for row in rows], told


def _told(score: Score, floor: Score | None) -> dict[str, Any]:
    """How a score was made, without what is NaN or infinite, which JSON cannot hold."""
    interval = score.interval if score.interval and all(map(isfinite, score.interval)) else ()
    told = {
        **score.how,
        **({"interval": [significant(value) for value in interval]} if interval else {}),
        **({"real": significant(floor.value)} if floor else {}),
    }
    return {name: _for_json(value) for name, value in told.items()}


def _for_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _for_json(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_for_json(part) for part in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def of_pairs(metric: Metric | type[Metric]) -> bool:
    """Returns whether a metric compares pairs: image k of the given images with image k of the held-out ones."""
    return metric.input in ("pixel pairs", "feature pairs")


def significant(value: float) -> float:
    """Returns a figure to ten digits; further digits vary between runs because of threads."""
    return float(f"{value:.10g}")
