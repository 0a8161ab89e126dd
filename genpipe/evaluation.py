"""Scores and pictures of an experiment, each score with how it was made."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from genpipe import __version__, evidence, paths, registry
from genpipe.config import Experiment, Project
from genpipe.files import whole_folder, write_json
from genpipe.interfaces import Evidence, Findings, Metric, Real, Score, Subject
from genpipe.modelfiles import load_model
from genpipe.provenance import run_key
from genpipe.reference import Reference, load_references
from genpipe.sampling import Samples, load_samples, save_picture
from genpipe.schema import Strict
from genpipe.training.reference import teacher


class View(Protocol):
    """Images as one extractor sees them."""

    @property
    def extractor_name(self) -> str:
        """A file of genpipe/extractors."""

    @property
    def described(self) -> Mapping[str, Any]:
        """What tells the extractor from another."""

    @property
    def real(self) -> Real:
        """The real images."""

    @property
    def drawn(self) -> Evidence:
        """The images that are scored."""

    @property
    def floor(self) -> Evidence | None:
        """Real images to score in their place, where there are any."""

    @property
    def rebuilt(self) -> Evidence:
        """The reconstructions of the held-out images."""


@dataclass(frozen=True)
class Seen:
    """A view of an experiment's images; what the extractor saw is kept in a folder."""

    reference: Reference
    samples: Samples
    folder: Path
    teach: Callable[..., Any] | None = None

    @property
    def extractor_name(self) -> str:
        """A file of genpipe/extractors."""
        return self.reference.name

    @property
    def described(self) -> Mapping[str, Any]:
        """What tells the extractor from another."""
        return self.reference.described

    @cached_property
    def real(self) -> Real:
        """The real images."""
        return replace(self.reference.real, teach=self.teach)

    @cached_property
    def drawn(self) -> Evidence:
        """The samples."""
        return self._evidence("drawn", self.samples.images, self.samples.labels)

    @property
    def floor(self) -> Evidence:
        """The held-out images."""
        return self.real.held_out

    @cached_property
    def rebuilt(self) -> Evidence:
        """The reconstructions of the held-out images."""
        assert self.samples.rebuilt is not None, "no metric of pairs is asked for where nothing is reconstructed"
        return self._evidence("rebuilt", self.samples.rebuilt, self.reference.prepared.labels("test"))

    def _evidence(self, kind: str, images: np.ndarray, labels: np.ndarray | None) -> Evidence:
        folder = self.folder / self.reference.name / kind
        key = evidence.key_of(self.reference.key, images)
        return evidence.seen(images, labels, folder, key, lambda: self.reference.extractor)

    def look(self, images: np.ndarray) -> Evidence:
        """Any images, of which nothing is kept."""
        return self.reference.extractor.extract(images)


def evaluate(project: Project, experiment: Experiment) -> None:
    """Writes the scores and the pictures of an experiment.

    The scores are flat, name to number; `how` says of each what made it and what real held-out images score.
    """
    seen = look(project, experiment)
    model, _ = load_model(project.root / paths.model(experiment.name))
    subject = Subject(model, seen[0].drawn, seen[0].real, project.index.seed)
    findings = _analysed(experiment, subject)
    with whole_folder(project.root / paths.figures(experiment.name)) as folder:
        for name, (picture, _) in findings.pictures.items():
            save_picture(picture, folder / f"{name}.png")
    scores, how = scored(experiment.metrics, seen, project.index.seed)
    about = {
        "system": experiment.model_name,
        "data": experiment.data.name,
        "seed": experiment.knobs.seed,
        "device": str(model.device),
        "key": run_key(project, experiment),
        "versions": {"genpipe": __version__, "torch": torch.__version__, "numpy": np.__version__},
        "figures": {f"{name}.png": caption for name, (_, caption) in findings.pictures.items()},
    }
    numbers = {name: significant(value) for name, value in findings.numbers.items()}
    figures = {**scores, **numbers, "parameters": sum(p.numel() for p in model.parameters())}
    write_json(project.root / paths.metrics(experiment.name), figures)
    write_json(project.root / paths.scores(experiment.name), {**figures, "how": {**about, **how}})


def look(project: Project, experiment: Experiment) -> list[Seen]:
    """An experiment's samples as each extractor of its data set sees them. Raises DataError if they are not there."""
    samples = load_samples(project.root / paths.samples(experiment.name))
    folder, teach = project.root / paths.evidence(experiment.name), teacher(project, experiment.data.name)
    return [Seen(one, samples, folder, teach) for one in load_references(project, experiment.data.name)]


def scored(metrics: Mapping[str, Strict], views: Sequence[View], seed: int) -> tuple[dict[str, float], dict[str, Any]]:
    """All scores by name, and of each how it was made."""
    scores: dict[str, float] = {}
    how: dict[str, Any] = {}
    for name, config in metrics.items():
        metric = registry.load("metrics", name)(config)
        for one in _lookers(metric, views):
            made, floor = _made(metric, one, seed)
            protocol = {"metric": name, **_protocol(metric, one)}
            scores |= {key: significant(score.value) for key, score in made.items()}
            how |= {
                key: protocol | _told(score, floor.get(key)) for key, score in made.items() if not key.endswith("_std")
            }
    return scores, how


def _lookers(metric: Metric, views: Sequence[View]) -> Iterator[View]:
    """Through which extractors a metric looks: one will do if it looks at none of their features."""
    if metric.looks_at in ("features", "feature pairs"):
        yield from views
    elif metric.looks_at == "probabilities":
        yield from (one for one in views if one.real.training.probabilities is not None)
    else:
        yield from views[:1]


def _made(metric: Metric, one: View, seed: int) -> tuple[Mapping[str, Score], Mapping[str, Score]]:
    """The scores of the images, and those of real images in their place."""
    extractor = one.extractor_name
    if metric.looks_at in ("pixel pairs", "feature pairs"):
        return metric.scores(one.rebuilt, one.real, extractor, seed), {}
    floor = metric.scores(one.floor, one.real, extractor, seed) if one.floor else {}
    return metric.scores(one.drawn, one.real, extractor, seed), floor


def _protocol(metric: Metric, one: View) -> dict[str, Any]:
    """What must agree before two scores compare, and what the report says of them."""
    by_pixels = metric.looks_at in ("pixels", "pixel pairs")
    images = one.rebuilt if "pairs" in metric.looks_at else one.drawn
    return {
        "title": metric.title,
        "meaning": metric.meaning,
        "lower_is_better": metric.lower_is_better,
        **({"extractor": "pixels"} if by_pixels else one.described),
        "training_images": len(one.real.training.images),
        "held_out_images": len(one.real.held_out.images),
        "fake_images": len(images.images),
    }


def _told(score: Score, floor: Score | None) -> dict[str, Any]:
    interval = {"interval": [significant(value) for value in score.interval]} if score.interval else {}
    return {**score.how, **interval, **({"real": significant(floor.value)} if floor else {})}


def significant(value: float) -> float:
    """A figure to ten digits; beyond them linear algebra on several threads differs from run to run."""
    return float(f"{value:.10g}")


def _analysed(experiment: Experiment, subject: Subject) -> Findings:
    """What all analyses of an experiment found."""
    found = [registry.load("analyses", name)(config).run(subject) for name, config in experiment.analyses.items()]
    pictures = {name: picture for findings in found for name, picture in findings.pictures.items()}
    return Findings(pictures, {name: value for findings in found for name, value in findings.numbers.items()})
