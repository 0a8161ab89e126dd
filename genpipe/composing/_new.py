"""New experiments: a recipe, or an experiment that exists, with some knobs turned; one, or one for each combination."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from genpipe import paths, registry
from genpipe.composing import _recipes as recipes
from genpipe.composing._datasets import added, sized
from genpipe.composing._editing import put, take, word
from genpipe.composing._grid import Edits, variants
from genpipe.composing._journal import read
from genpipe.composing._knobs import turned
from genpipe.composing._plan import Change, Plan
from genpipe.composing._recipes import Cost, Recipe
from genpipe.config import Experiment, Project
from genpipe.document import Document, parse
from genpipe.errors import ExistsError, UsageError
from genpipe.outputs import of_experiment, refuse_foreign
from genpipe.validation import RULE, name_allowed


@dataclass(frozen=True)
class Wish:
    """What a person asks for, as on the command line of `genpipe new-experiment`."""

    name: str
    recipe: str | None = None
    """What to start from; or `source`, an experiment of the project."""
    source: str | None = None
    data: str | None = None
    profile: str = "laptop"
    sets: Sequence[str] = ()
    """Each `path=value`, the value in YAML."""
    grid: Sequence[str] = ()
    """Each `path=a,b,c`."""
    seeds: int | None = None

    def command(self) -> str:
        """The command line that says the same."""
        flags = [("--recipe", self.recipe), ("--from", self.source), ("--data", self.data)]
        flags += [("--profile", None if self.profile == "laptop" else self.profile)]
        flags += [("--set", setting) for setting in self.sets] + [("--grid", axis) for axis in self.grid]
        flags += [("--seeds", None if self.seeds is None else str(self.seeds))]
        words = [word for flag, value in flags if value is not None for word in (flag, value)]
        return shlex.join(["genpipe", "new-experiment", self.name, *words])


def plan(project: Project, wish: Wish, *, force: bool = False) -> Plan:
    """What makes the wished experiments some of the project's; writes nothing.

    Raises UsageError, UnknownName, ConfigError, and ExistsError if a name is taken by another experiment and `force`
    does not allow to replace that.
    """
    start = _start(project, wish)
    data = wish.data or start.data
    project, with_data = added(project, data, start.dataset if data == start.data else None)
    project, with_data, note = sized(project, data, wish.profile, with_data)
    composed = [
        _composed(project, start, wish.profile, name, edits, data)
        for name, edits in variants(wish.name, wish.sets, wish.grid, wish.seeds)
    ]
    experiments = tuple(experiment for experiment, _, _ in composed)
    index = _index(project, experiments, with_data)
    moved = frozenset(experiment.name for experiment in experiments if not _listed(project, experiment))
    fresh = moved | {experiment.name for experiment, pipeline, _ in composed if pipeline.needed}
    left_out = tuple(dict.fromkeys(told for *_, left in composed for told in left))
    pipelines = tuple(pipeline for _, pipeline, _ in composed)
    planned = Plan(project.root, (*pipelines, index), experiments, fresh, moved, left_out, (note,) if note else ())
    if not force:
        _refuse_to_replace(project, planned)
    places = [place for experiment in experiments for place in of_experiment(experiment.name)]
    refuse_foreign(project.root, places, "Move it elsewhere, or take another name.")
    return planned


def measured(wish: Wish) -> Cost | None:
    """What the recipe states that the profile costs, as it stands; None where it was not measured."""
    return recipes.recipe(wish.recipe).cost[wish.profile] if wish.recipe else None


def _start(project: Project, wish: Wish) -> Recipe:
    """The recipe, or an experiment of the project taken as one."""
    if (wish.recipe is None) == (wish.source is None):
        raise UsageError("an experiment starts from one recipe or from one other experiment: give one of them.")
    if wish.recipe is not None:
        return recipes.recipe(wish.recipe)
    assert wish.source is not None
    found = project.experiment(wish.source)
    text = read(project.root / paths.pipeline(wish.source))
    assert text is not None
    return Recipe(wish.source, text, found.model_name, found.data.name, {}, {})


def _composed(
    project: Project, start: Recipe, profile: str, name: str, edits: Edits, data: str
) -> tuple[Experiment, Change, list[str]]:
    """An experiment, its file, and the metrics and analyses that stay out of it for the sake of the data.

    Problems name the experiment, for the file is not there to look at.
    """
    if not name_allowed(name):
        raise UsageError(f"an experiment cannot be called '{name}': {RULE}.")
    system = registry.load("models", start.model)
    text = turned(start.text, [*start.edits(profile).items(), *edits], system)
    text, left_out = _served(project, system, data, text, edits)
    document = Document(f"experiment '{name}'", parse(text).value)
    experiment = project.compose(name, start.model, system, project.data(data), document)
    file = paths.pipeline(name)
    return experiment, Change(project.root, file, read(project.root / file), text), left_out


def _served(project: Project, system: Any, data: str, text: str, edits: Edits) -> tuple[str, list[str]]:
    """A pipeline's text without what the data cannot serve, and why; what `edits` name stays."""
    left_out = {}
    for at, told in project.unserved(system, project.data(data), parse(text)).items():
        path = ".".join(map(str, at))
        if not any(f"{edited}.".startswith(f"{path}.") for edited, _ in edits):
            left_out[at] = told
            text = take(text, at)
    return text, [f"{at[-1]}: {told.rpartition(';')[0]}" for at, told in left_out.items()]  # what to do is done


def _listed(project: Project, experiment: Experiment) -> bool:
    """Whether the index has just this experiment."""
    present = project.index.experiments.get(experiment.name)
    return present is not None and (present.model, present.data) == (experiment.model_name, experiment.data.name)


def _index(project: Project, experiments: Iterable[Experiment], with_data: Change) -> Change:
    before, after = with_data.before, with_data.after or ""
    for experiment in experiments:
        if not _listed(project, experiment):
            line = f"{{model: {word(experiment.model_name)}, data: {word(experiment.data.name)}}}"
            after = put(after, ("experiments", experiment.name), line)
    return Change(project.root, paths.INDEX, before, after)


def _refuse_to_replace(project: Project, planned: Plan) -> None:
    """Raises ExistsError if other experiments, or files that belong to none, would be lost."""
    taken = [str(change.file) for change in planned.changes if change.before is not None]
    taken = [file for file in taken if file != str(paths.INDEX)]
    replaced = [e.name for e in planned.experiments if e.name in project.index.experiments and not _listed(project, e)]
    taken += [f"experiments.{name} of {paths.INDEX}" for name in replaced]
    if taken:
        raise ExistsError(
            f"{' and '.join(taken)} would be overwritten. Take another name, or replace "
            f"{'the experiment' if len(taken) == 1 else 'what is there'} with --force (with --dry-run, to see what "
            "would change)."
        )
