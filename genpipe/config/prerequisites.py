"""What experiments need before they train, and whether it can be had."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from genpipe import paths, registry
from genpipe.config.document import Document, read
from genpipe.config.validation import validated
from genpipe.errors import Problem, nearest

if TYPE_CHECKING:
    from genpipe.config.project import Data, Experiment, Project
    from genpipe.interfaces.prerequisites import Prerequisites


def declared(model_class: Any, config: Any) -> "Prerequisites":
    """What a model with these knobs needs; nothing, if it does not say."""
    from genpipe.interfaces.prerequisites import HasPrerequisites, Prerequisites

    found = model_class.prerequisites(config) if issubclass(model_class, HasPrerequisites) else Prerequisites()
    return Prerequisites(tuple(dict.fromkeys(found.extractors)), tuple(dict.fromkeys(found.experiments)))


def needed(experiment: "Experiment") -> "Prerequisites":
    """What an experiment needs before it trains."""
    return declared(registry.load("models", experiment.model_name), experiment.model)


def listed(project: "Project", name: str) -> "Prerequisites":
    """What an experiment of the index needs; of its pipeline only `model` is read, and only if its model asks for it.

    Raises ConfigError.
    """
    from genpipe.interfaces.prerequisites import HasPrerequisites, Prerequisites

    model_class, file = project.model_class(name), paths.pipeline(name)
    if not issubclass(model_class, HasPrerequisites):
        return Prerequisites()
    document = read(project.root / file, str(file))
    return declared(model_class, validated(model_class.Config, document.mapping("model"), ("model",), document))


def files(data: str, wanted: "Prerequisites") -> list[str]:
    """The places of what is needed, on which a stage depends: folders of extractors and of finished models."""
    found = [paths.reference(data) / name for name in wanted.extractors] + [*map(paths.model, wanted.experiments)]
    return [path.as_posix() for path in found]


def problems(
    project: "Project", name: str, wanted: "Prerequisites", data: "Data", document: Document
) -> Iterator[Problem]:
    """What cannot be had of all that an experiment needs."""
    for told in [*_of_experiments(project, name, wanted, data), *_of_extractors(project, wanted, data)]:
        yield document.problem(("model",), told)


def circles(needs: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """Yields experiments each of which needs the next, and the last the first; of circles that touch, one."""
    from networkx import DiGraph, find_cycle, strongly_connected_components  # slow to import, and seldom needed

    graph = DiGraph((name, other) for name, others in needs.items() for other in others)
    for members in strongly_connected_components(graph):
        first = min(members, key=list(needs).index)
        if len(members) > 1 or graph.has_edge(first, first):
            yield [name for name, _ in find_cycle(graph.subgraph(members), first)]


def _of_experiments(project: "Project", name: str, wanted: "Prerequisites", data: "Data") -> Iterator[str]:
    index = project.index
    for other in wanted.experiments:
        if other == name:
            yield "it needs itself before it trains: name another experiment."
        elif other not in index.experiments:
            hint = nearest(other, index.experiments)
            yield f"it needs the experiment '{other}', which is not under experiments.{hint}"
        elif (theirs := index.experiments[other].data) != data.name and theirs in index.datasets:
            shapes = ["×".join(map(str, found.spec().shape)) for found in (data, project.data(theirs))]
            if shapes[0] != shapes[1]:
                yield (
                    f"it needs the experiment '{other}' on {theirs}, whose images are {shapes[1]}, and those of "
                    f"{data.name} are {shapes[0]}: name an experiment on {data.name}."
                )


def _of_extractors(project: "Project", wanted: "Prerequisites", data: "Data") -> Iterator[str]:
    there = project.extractors(data.name) if wanted.extractors else {}
    for extractor in wanted.extractors:
        if extractor not in there:
            at = f"datasets.{data.name}.extractors" if data.common.extractors else "reference.extractors"
            yield (
                f"it needs the extractor '{extractor}', which does not look at {data.name}: add it to {at} of "
                f"{paths.INDEX}.{nearest(extractor, there)}"
            )
