"""Scores and pictures of an experiment's samples, each score with how it was made."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from genpipe import __version__, paths, registry
from genpipe.config import Experiment, Project
from genpipe.errors import Unsuitable
from genpipe.files import whole_folder, write_json
from genpipe.interfaces import Evidence, Findings, Score, Subject
from genpipe.modelfiles import load_model
from genpipe.provenance import run_key
from genpipe.reference import Reference, load_reference
from genpipe.sampling import load_samples, save_picture


def evaluate(project: Project, experiment: Experiment) -> None:
    """Writes the scores and the pictures of an experiment.

    The scores are flat, name to number; `how` says of each what made it and what real held-out images score.
    """
    reference = load_reference(project, experiment.data.name)
    samples = reference.extractor.extract(load_samples(project.root / paths.samples(experiment.name)))
    model, _ = load_model(project.root / paths.model(experiment.name))
    seed = project.index.seed
    scorer = _scorer(experiment, reference, seed)
    subject = Subject(model, samples, reference.real, seed, reference.extractor.extract, scorer)
    findings = _analysed(experiment, subject)
    with whole_folder(project.root / paths.figures(experiment.name)) as folder:
        for name, (picture, _) in findings.pictures.items():
            save_picture(picture, folder / f"{name}.png")
    scores, how = _scored(experiment, samples, reference, seed)
    captions = {f"{name}.png": caption for name, (_, caption) in findings.pictures.items()}
    parameters = sum(p.numel() for p in model.parameters())
    about = {
        "system": experiment.model_name,
        "data": experiment.data.name,
        "seed": experiment.knobs.seed,
        "device": str(model.device),
        "key": run_key(project, experiment),
        "versions": {"genpipe": __version__, "torch": torch.__version__, "numpy": np.__version__},
        "figures": captions,
    }
    numbers = {name: significant(value) for name, value in findings.numbers.items()}
    figures = {**scores, **numbers, "parameters": parameters}
    write_json(project.root / paths.metrics(experiment.name), figures)
    write_json(project.root / paths.scores(experiment.name), {**figures, "how": {**about, **how}})


def _scored(
    experiment: Experiment, samples: Evidence, reference: Reference, seed: int
) -> tuple[dict[str, float], dict[str, Any]]:
    """All scores by name, and of each how it was made."""
    scores: dict[str, float] = {}
    how: dict[str, Any] = {}
    for name, config in experiment.metrics.items():
        metric = registry.load("metrics", name)(config)
        protocol = {
            "metric": name,
            "title": metric.title,
            "meaning": metric.meaning,
            "lower_is_better": metric.lower_is_better,
            **({"extractor": "pixels"} if metric.looks_at == "pixels" else reference.described),
            "training_images": len(reference.real.training.images),
            "held_out_images": len(reference.real.held_out.images),
            "fake_images": len(samples.images),
        }
        extractor = experiment.knobs.evaluate.extractor
        made: Mapping[str, Score] = metric.scores(samples, reference.real, extractor, seed)
        floor: Mapping[str, Score] = metric.scores(reference.real.held_out, reference.real, extractor, seed)
        scores |= {key: significant(score.value) for key, score in made.items()}
        how |= {
            key: {**protocol, **score.how, "real": significant(floor[key].value)}
            for key, score in made.items()
            if not key.endswith("_std")
        }
    return scores, how


def _scorer(
    experiment: Experiment, reference: Reference, seed: int
) -> Callable[[Evidence, Sequence[str]], Mapping[str, float]]:
    """What gives the scores of images that are not the samples. It raises Unsuitable for a metric that is not set."""

    def score(images: Evidence, metrics: Sequence[str]) -> Mapping[str, float]:
        if missing := [name for name in metrics if name not in experiment.metrics]:
            raise Unsuitable(f"an analysis looks at {' and '.join(missing)}; write it under evaluate.metrics too.")
        extractor = experiment.knobs.evaluate.extractor
        made = [registry.load("metrics", name)(experiment.metrics[name]) for name in metrics]
        found = [metric.scores(images, reference.real, extractor, seed) for metric in made]
        return {key: score.value for scores in found for key, score in scores.items()}

    return score


def significant(value: float) -> float:
    """A figure to ten digits; beyond them linear algebra on several threads differs from run to run."""
    return float(f"{value:.10g}")


def _analysed(experiment: Experiment, subject: Subject) -> Findings:
    """What all analyses of an experiment found."""
    found = [registry.load("analyses", name)(config).run(subject) for name, config in experiment.analyses.items()]
    pictures = {name: picture for findings in found for name, picture in findings.pictures.items()}
    return Findings(pictures, {name: value for findings in found for name, value in findings.numbers.items()})
