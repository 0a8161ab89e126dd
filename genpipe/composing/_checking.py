"""Everything that can be wrong in a project's files, all at once."""

from collections.abc import Callable, Iterator
from pathlib import Path

from genpipe import paths, registry
from genpipe.composing import _graph
from genpipe.config import Project
from genpipe.document import read
from genpipe.errors import ConfigError, Problem, Unsuitable, nearest


def problems(root: Path) -> list[Problem]:
    """All that is wrong in the index, the experiments, the data sets, the classifier and the wiring."""
    try:
        project = Project(root)
    except ConfigError as error:
        return [*error.problems, *_in_every_pipeline(root)]
    found = list(dict.fromkeys(_of_project(project)))
    return found or list(_raised(_graph.verify, root, {}))


def strays(project: Project) -> list[Path]:
    """The pipeline files that belong to no experiment of the index."""
    found = sorted((project.root / paths.PIPELINES).glob("*.yaml"))
    return [file.relative_to(project.root) for file in found if file.stem not in project.index.experiments]


def _of_project(project: Project) -> Iterator[Problem]:
    yield from _raised(project.check)
    for name in project.index.datasets:
        yield from _raised(project.data, name)
    yield from _raised(project.classifier) or _of_classifier(project)


def _of_classifier(project: Project) -> Iterator[Problem]:
    """What is wrong with the phases under `reference`, or with the classifier for one of the data sets."""
    import torch

    system, given = registry.load("extractors", "classifier"), project.index.reference.optim
    for name in project.index.datasets:
        if _raised(project.data, name):
            continue
        try:
            with torch.device("meta"):
                phases = [phase.name for phase in system(project.classifier(), project.data(name).spec()).phases()]
        except Unsuitable as error:
            yield project.document.problem(("reference", "model"), f"for the data set {name}: {error}")
            continue
        for phase in given:
            if phase not in phases:
                message = f"not a phase of the classifier.{nearest(phase, phases)}"
                yield project.document.problem(("reference", "optim", phase), message)
        for phase in set(phases) - set(given):
            yield project.document.problem(("reference", "optim"), f"the phase '{phase}' is missing.")


def _in_every_pipeline(root: Path) -> Iterator[Problem]:
    """What is no YAML: all that can be said of a pipeline while the index cannot be read."""
    for file in sorted((root / paths.PIPELINES).glob("*.yaml")):
        yield from _raised(read, file, str(file.relative_to(root)))


def _raised(do: Callable[..., object], *given: object) -> list[Problem]:
    """The problems that a function raises."""
    try:
        do(*given)
    except ConfigError as error:
        return error.problems
    return []
