"""Everything that can be wrong in a project's files, all at once."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from genpipe import outputs, paths, registry, wiring
from genpipe.composing import _graph
from genpipe.composing._datasets import unwatched, verify_datasets
from genpipe.config import Project
from genpipe.document import read
from genpipe.errors import ConfigError, Problem, Unsuitable
from genpipe.suitability import phase_problems


def problems(root: Path) -> list[Problem]:
    """All that is wrong in the index, the experiments, the data sets, the classifier and the wiring."""
    try:
        project = Project(root)
    except ConfigError as error:
        return [*error.problems, *_in_every_pipeline(root)]
    return _raised(verify, project) or _raised(_graph.verify, root, {})


def verify(project: Project) -> None:
    """Raises ConfigError with all that is wrong in the files of a project, but for what DVC finds in the wiring."""
    project.check()
    found = [*_of_extractors(project), *_unwatched(project), *_raised(verify_datasets, project), *_foreign(project)]
    if found:
        raise ConfigError(found)


def strays(project: Project) -> list[Path]:
    """The pipeline files that belong to no experiment of the index."""
    found = sorted((project.root / paths.PIPELINES).glob("*.yaml"))
    return [file.relative_to(project.root) for file in found if file.stem not in project.index.experiments]


def _of_extractors(project: Project) -> Iterator[Problem]:
    """The extractors that cannot be trained on a data set, and what is wrong with their optimizers."""
    phases: dict[str, list[str]] = {}
    for name in project.index.datasets:
        for extractor, config in project.extractors(name).items():
            try:
                phases[extractor] = _phases(extractor, config, project.data(name).spec())
            except Unsuitable as error:
                others = " Let others look at it: `extractors: [pixels]`, for one."
                yield project.document.problem(("datasets", name), f"{extractor} does not suit it: {error}{others}")
    if phases.keys() == project.index.reference.extractors.keys():
        named = [phase for some in phases.values() for phase in some]
        yield from phase_problems(named, project.index.reference.optim, ("reference", "optim"), project.document)


def _unwatched(project: Project) -> Iterator[Problem]:
    """The files of extractors whose change DVC would not notice."""
    at, watched = ("stages", "reference", "do", "deps"), wiring.stage(project.root, "reference").deps
    named = [one for data in project.index.datasets for one in project.extractors(data).items()]
    files = {(name, registry.load("extractors", name).watched(config)) for name, config in named}
    for name, path in sorted(files, key=str):
        yield from unwatched(project.root, at, watched, path, f"extractor '{name}'")


def _foreign(project: Project) -> Iterator[Problem]:
    """What lies where a stage writes and no stage has made, so that it would be lost."""
    told = "lies where a stage writes, and no stage has made it: `dvc repro` would delete it. Move it elsewhere."
    for files in outputs.foreign(project.root, outputs.of_project(project.index.datasets, project.index.experiments)):
        others = f" So do {len(files) - 1:,} more." if len(files) > 1 else ""
        yield Problem(str(files[0]), None, "", f"{told}{others}")


def _phases(extractor: str, config: Any, spec: Any) -> list[str]:
    """The phases of an extractor that is to be trained; none of another, which is not built here."""
    from genpipe.interfaces import Trainable

    kind = registry.load("extractors", extractor)
    return [p.name for p in registry.outline(kind, config, spec).phases()] if issubclass(kind, Trainable) else []


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
