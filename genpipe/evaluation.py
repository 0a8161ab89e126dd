"""Scores and pictures of an experiment, each score with how it was made."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from genpipe import __version__, evidence, paths, registry
from genpipe.config import Experiment, Project
from genpipe.files import whole_folder, write_json
from genpipe.interfaces import Counts, Evidence, Findings, Generative, Metric, Real, Score, Subject
from genpipe.modelfiles import load_model
from genpipe.provenance import run_key
from genpipe.reference import Reference, load_references
from genpipe.sampling import asked, load_samples, save_picture
from genpipe.schema import Strict
from genpipe.teaching import teacher
from genpipe.training.curves import read_curves, write_curves
from genpipe.training.moments import Row
from genpipe.training.snapshots import load_snapshots

VERSIONS = {"genpipe": __version__, "torch": str(torch.__version__), "numpy": np.__version__}


@dataclass(frozen=True)
class View:
    """Images as one extractor sees them."""

    extractor: str
    """A file of genpipe/extractors."""
    described: Mapping[str, Any]
    """What tells the extractor from another."""
    real: Real
    drawn: Evidence
    """The images that are scored."""
    floor: Evidence | None
    """Real images to score in their place, where there are any."""
    rebuilt: Evidence | None = None
    """The reconstructions of the held-out images, where a metric asks for them."""


def evaluate(project: Project, experiment: Experiment) -> None:
    """Writes the scores and the pictures of an experiment.

    The scores are flat, name to number; `how` says of each what made it and what real held-out images score.
    """
    references = load_references(project, experiment.data.name)
    views = [view(project, experiment, reference) for reference in references]
    model, _ = load_model(project.root / paths.model(experiment.name))
    by_step = _scored_by_step(project, experiment, references, model)
    write_curves(by_step, project.root / paths.score_curves(experiment.name))
    curves = read_curves(project.root / paths.curves(experiment.name))
    subject = _subject(experiment, model, references[0], views[0], project.index.seed)
    findings = _analysed(experiment, replace(subject, curves=curves, scores_by_step=by_step), references[0].real)
    with whole_folder(project.root / paths.figures(experiment.name)) as folder:
        for name, (picture, _) in findings.pictures.items():
            save_picture(picture, folder / f"{name}.png")
    scores, how = scored(experiment.metrics, views, project.index.seed)
    silent = unscored(experiment.metrics, views, how)
    for name, why in silent.items():
        warnings.warn(f"{experiment.name}: {name} gives no score: {why}", stacklevel=2)
    about = {
        "system": experiment.model_name,
        "data": experiment.data.name,
        "seed": experiment.knobs.seed,
        "device": str(model.device),
        "key": run_key(project, experiment),
        "versions": VERSIONS,
        "figures": {f"{name}.png": caption for name, (_, caption) in findings.pictures.items()},
        "unscored": silent,
    }
    numbers = {name: significant(value) for name, value in findings.numbers.items()}
    figures = {**scores, **numbers, "parameters": sum(p.numel() for p in model.parameters())}
    write_json(project.root / paths.metrics(experiment.name), figures)
    write_json(project.root / paths.scores(experiment.name), {**figures, "how": {**about, **how}})


def view(project: Project, experiment: Experiment, reference: Reference) -> View:
    """An experiment's images as an extractor of its data set sees them; what it sees is kept.

    Held-out images of classes that are not trained on take no part. Raises DataError if there are no samples.
    """
    samples = load_samples(project.root / paths.samples(experiment.name))
    some = _of_trained_classes(reference)
    held_out = reference.real.held_out if some is None else reference.real.held_out.part(some)
    real = Real(reference.real.training, held_out, teacher(project, experiment.data.name))
    drawn = _seen(project, experiment, reference, "drawn", samples.images, samples.labels)
    rebuilt = None
    if samples.rebuilt is not None and any(of_pairs(registry.load("metrics", name)) for name in experiment.metrics):
        rebuilt = _seen(project, experiment, reference, "rebuilt", samples.rebuilt, reference.real.held_out.labels)
        rebuilt = rebuilt if some is None else rebuilt.part(some)
    return View(reference.name, reference.described, real, drawn, real.held_out, rebuilt)


def _of_trained_classes(reference: Reference) -> Int[np.ndarray, "n"] | None:
    """The rows of the held-out images of classes that are trained on; None if all are."""
    spec, labels = reference.prepared.spec, reference.real.held_out.labels
    return np.flatnonzero(np.isin(labels, spec.trained)) if spec.untrained and labels is not None else None


def _subject(experiment: Experiment, model: Generative, reference: Reference, view: View, seed: int) -> Subject:
    """What analyses look at, through the first extractor of the data set."""

    def score(images: Evidence, metrics: Sequence[str]) -> Mapping[str, float]:
        chosen = {name: experiment.metrics[name] for name in metrics}
        return scored(chosen, [replace(view, drawn=images, floor=None)], seed)[0]

    return Subject(model, view.drawn, view.real, seed, lambda images: reference.extractor.extract(images), score)


def _scored_by_step(
    project: Project, experiment: Experiment, references: Sequence[Reference], model: Generative
) -> list[Row]:
    """The scores of the samples that were drawn during the training, a row a step."""
    steps, snapshots = load_snapshots(project.root / paths.snapshots(experiment.name))
    rows: list[Row] = [{"step": float(step)} for step in steps]
    chosen = {k: v for k, v in experiment.metrics.items() if registry.load("metrics", k).by_step}
    for reference in references if rows and chosen else ():
        classes = asked(model, len(snapshots[0]))
        labels = None if classes is None else np.tile(classes, len(steps))
        together = _seen(project, experiment, reference, "snapshots", np.concatenate(snapshots), labels)
        for k, row in enumerate(rows):
            mine = together.part(slice(k * len(snapshots[k]), (k + 1) * len(snapshots[k])))
            view = View(reference.name, reference.described, reference.real, mine, None)
            row |= scored(chosen, [view], project.index.seed)[0]
    return rows


def _seen(
    project: Project,
    experiment: Experiment,
    reference: Reference,
    kind: str,
    images: np.ndarray,
    labels: np.ndarray | None = None,
) -> Evidence:
    """What an extractor sees in images of an experiment, which is kept."""
    folder = project.root / paths.evidence(experiment.name) / reference.name / kind
    return evidence.seen(images, labels, folder, evidence.key_of(reference.key, images), lambda: reference.extractor)


def scored(metrics: Mapping[str, Strict], views: Sequence[View], seed: int) -> tuple[dict[str, float], dict[str, Any]]:
    """All scores by name, and of each how it was made."""
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
    """Of each metric that gave no score the reason."""
    silent = set(metrics) - {one["metric"] for one in how.values()}
    return {name: _silence(registry.load("metrics", name)(metrics[name]), views) for name in metrics if name in silent}


def _silence(metric: Metric, views: Sequence[View]) -> str:
    if metric.looks_at == "probabilities" and not list(_lookers(metric, views)):
        return "no extractor gives class probabilities"
    real, images = views[0].real, views[0].drawn.images
    there = Counts(len(real.training.images), len(real.held_out.images), len(images))
    short = there.short_of(metric.least_images)
    return f"it needs {short}" if short else metric.gives_nothing


def _lookers(metric: Metric, views: Sequence[View]) -> Iterator[View]:
    """Through which extractors a metric looks: one will do if it looks at none of their features."""
    if metric.looks_at in ("features", "feature pairs"):
        yield from views
    elif metric.looks_at == "probabilities":
        yield from (one for one in views if one.real.training.probabilities is not None)
    elif metric.looks_at == "labels":  # an extractor that was trained on them knows the classes
        yield from [one for one in views if "extractor_accuracy" in one.described][:1]
    else:
        yield from views[:1]


def _made(metric: Metric, one: View, seed: int) -> tuple[Mapping[str, Score], Mapping[str, Score]]:
    """The scores of the images, and those of real images in their place."""
    extractor = one.extractor
    if of_pairs(metric):
        assert one.rebuilt, "a metric of pairs is refused where nothing is reconstructed"
        return metric.scores(one.rebuilt, one.real, extractor, seed), {}
    made = metric.scores(one.drawn, one.real, extractor, seed)
    return made, metric.scores(one.floor, one.real, extractor, seed) if made and one.floor else {}


def _protocol(metric: Metric, one: View, seed: int) -> dict[str, Any]:
    """What must agree before two scores compare, and what the report says of them."""
    by_pixels = metric.looks_at in ("pixels", "pixel pairs")
    images = one.rebuilt if of_pairs(metric) and one.rebuilt else one.drawn
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


def _told(score: Score, floor: Score | None) -> dict[str, Any]:
    interval = {"interval": [significant(value) for value in score.interval]} if score.interval else {}
    return {**score.how, **interval, **({"real": significant(floor.value)} if floor else {})}


def of_pairs(metric: Metric | type[Metric]) -> bool:
    """Whether a metric looks at pairs: image k of the given ones is to be what image k of the held-out ones is."""
    return metric.looks_at in ("pixel pairs", "feature pairs")


def significant(value: float) -> float:
    """A figure to ten digits; beyond them linear algebra on several threads differs from run to run."""
    return float(f"{value:.10g}")


def _analysed(experiment: Experiment, subject: Subject, everything: Real) -> Findings:
    """What all analyses of an experiment found; some see held-out images of classes that are not trained on too."""
    made = [registry.load("analyses", name)(config) for name, config in experiment.analyses.items()]
    found = [one.run(replace(subject, real=everything) if one.sees_outliers else subject) for one in made]
    pictures = {name: picture for findings in found for name, picture in findings.pictures.items()}
    return Findings(pictures, {name: value for findings in found for name, value in findings.numbers.items()})
