"""New experiments: a recipe, or an experiment that exists, with some knobs turned.

`plan` computes, `Plan.write` writes, and nothing is written that the configuration or DVC would refuse.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from genpipe import paths, registry
from genpipe.composing import _recipes as recipes
from genpipe.composing._datasets import DataPlan, plan_data, relative, settings, verify_datasets
from genpipe.composing._editing import put, word
from genpipe.composing._knobs import split, turned
from genpipe.composing._plan import Change, Plan, read
from genpipe.composing._recipes import Recipe
from genpipe.config import RULE, Experiment, Project, name_allowed
from genpipe.document import Document, parse
from genpipe.errors import ExistsError, UsageError

__all__ = [
    "Change",
    "DataPlan",
    "Plan",
    "Recipe",
    "plan",
    "plan_data",
    "recipes",
    "relative",
    "settings",
    "verify_datasets",
]


def plan(
    project: Project,
    name: str,
    recipe: str | None = None,
    data: str | None = None,
    sets: Iterable[str] = (),
    profile: str = "laptop",
    source_experiment: str | None = None,
    *,
    force: bool = False,
) -> Plan:
    """What makes `name` an experiment of the project, started from a recipe or from another experiment; writes nothing.

    Each of `sets` is `path=value`, the value in YAML. Raises UsageError, UnknownName, ConfigError, and ExistsError if
    the name is taken by another experiment and `force` does not allow to replace that.
    """
    if not name_allowed(name):
        raise UsageError(f"an experiment cannot be called '{name}': {RULE}.")
    start = _start(project, recipe, source_experiment)
    system = registry.load("models", start.model)
    text = turned(start.text, [*start.edits(profile).items(), *map(split, sets)], system)
    experiment = _validated(project, replace(start, name=name, data=data or start.data, text=text), system)
    planned = Plan(project.root, experiment, _pipeline(project, experiment, text), _index(project, experiment))
    if not force:
        _refuse_to_replace(project, planned)
    return planned


def _start(project: Project, recipe: str | None, experiment: str | None) -> Recipe:
    """The recipe, or an experiment of the project taken as one."""
    if (recipe is None) == (experiment is None):
        raise UsageError("an experiment starts from one recipe or from one other experiment: give one of them.")
    if recipe is not None:
        return recipes.recipe(recipe)
    assert experiment is not None
    found = project.experiment(experiment)
    text = read(project.root / paths.pipeline(experiment))
    assert text is not None
    return Recipe(experiment, text, found.model_name, found.data.name, {})


def _validated(project: Project, composed: Recipe, system: Any) -> Experiment:
    """The experiment that a text gives; problems name the experiment, for the file is not there to look at."""
    document = Document(f"experiment '{composed.name}'", parse(composed.text).value)
    return project.compose(composed.name, composed.model, system, project.data(composed.data), document)


def _pipeline(project: Project, experiment: Experiment, text: str) -> Change:
    file = paths.pipeline(experiment.name)
    return Change(project.root, file, read(project.root / file), text)


def _index(project: Project, experiment: Experiment) -> Change:
    before = read(project.root / paths.INDEX) or ""
    wanted = {"model": experiment.model_name, "data": experiment.data.name}
    present = project.index.experiments.get(experiment.name)
    if present and present.model_dump() == wanted:
        return Change(project.root, paths.INDEX, before, before)
    line = f"{{model: {word(wanted['model'])}, data: {word(wanted['data'])}}}"
    return Change(project.root, paths.INDEX, before, put(before, ("experiments", experiment.name), line))


def _refuse_to_replace(project: Project, planned: Plan) -> None:
    """Raises ExistsError if another experiment, or a file that belongs to none, would be lost."""
    name, taken = planned.experiment.name, []
    if planned.pipeline.before is not None and planned.pipeline.needed:
        taken.append(str(planned.pipeline.file))
    if name in project.index.experiments and planned.index.needed:
        taken.append(f"experiments.{name} of {paths.INDEX}")
    if taken:
        raise ExistsError(
            f"{' and '.join(taken)} would be overwritten. Take another name, or replace the experiment with --force "
            "(with --dry-run, to see what would change)."
        )
