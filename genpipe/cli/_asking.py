"""Interactive questions on a terminal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import typer

from genpipe.cli import _screen
from genpipe.errors import GenpipeError, UnknownName, UsageError

if TYPE_CHECKING:
    from genpipe.config.project import Project
    from genpipe.project.new_experiment import ExperimentRequest
    from genpipe.project.recipes import Cost


T = TypeVar("T")
Choices = Sequence[tuple[str, str]]
"""Names to choose from, each with a short description."""
_SIZES = {"smoke": "seconds; shows that everything runs", "laptop": "minutes", "gpu": "the paper's sizes"}


def ask(project: "Project") -> "ExperimentRequest":
    """Returns the request of a person. If an answer is not allowed, it shows why and asks again."""
    from genpipe.project import recipes
    from genpipe.project.new_experiment import ExperimentRequest, plan

    def planned(wish: ExperimentRequest) -> ExperimentRequest:
        plan(project, wish)
        return wish

    kinds = [(name, recipes.summary(name)) for name in recipes.names()]
    recipe = recipes.recipe(_choose("Which recipe to start from?", kinds, None, lambda given: given))
    wish = ExperimentRequest(_free(project, recipe.name.rpartition("/")[2]), recipe.name)
    sets = [(name, ", ".join(f"{k} {v}" for k, v in knobs.items())) for name, knobs in project.index.datasets.items()]
    usual = recipe.data if recipe.data in project.index.datasets else None
    wish = _choose("Which data set?", sets, usual, lambda given: planned(replace(wish, data=_but(recipe.data, given))))
    wish = _choose("Which size?", _sizes(recipe.cost), "laptop", lambda given: planned(replace(wish, profile=given)))
    wish = _until_right("Name of the experiment?", wish.name, lambda given: planned(replace(wish, name=given)))
    wish = _settings(project, wish, planned)
    return _until_right("How many seeds?", "1", lambda given: planned(replace(wish, seeds=_seeds(given))))


def _choose(question: str, choices: Choices, default: str | None, answered: Callable[[str], T]) -> T:
    """Returns the result for an answer, which is a name or a number."""
    _screen.say(f"\n{question}")
    _screen.lines((f"{n:>3}", name, about) for n, (name, about) in enumerate(choices, 1))
    names = {str(n): name for n, (name, _) in enumerate(choices, 1)} | {name: name for name, _ in choices}

    def named(given: str) -> T:
        if given not in names:
            raise UnknownName(given, "choice", [name for name, _ in choices])
        return answered(names[given])

    return _until_right("Number or name", default, named)


def _until_right(question: str, default: str | None, answered: Callable[[str], T]) -> T:
    while True:
        given = typer.prompt(question, default=default).strip()
        try:
            return answered(given)
        except GenpipeError as error:
            _screen.say(f"  {error}")


def _settings(
    project: "Project", wish: "ExperimentRequest", planned: Callable[["ExperimentRequest"], "ExperimentRequest"]
) -> "ExperimentRequest":
    """Returns the request with the knobs that a person sets."""
    from genpipe.project.new_experiment import plan

    _screen.say("\nSet a knob? For example train.steps=2000. ? shows all knobs, an empty line continues.")
    while given := typer.prompt("path=value", default="", show_default=False).strip():
        if given == "?":
            _screen.say(plan(project, wish).files[0].after or "")
            continue
        try:
            wish = planned(replace(wish, sets=(*wish.sets, given)))
        except GenpipeError as error:
            _screen.say(f"  {error}")
    return wish


def _sizes(cost: "Mapping[str, Cost | None]") -> Choices:
    measured = {name: f"; its training took {taken.in_words()}" for name, taken in cost.items() if taken}
    return [(name, about + measured.get(name, "; not measured yet")) for name, about in _SIZES.items()]


def _free(project: "Project", name: str) -> str:
    """Returns the name, or the first of name-2, name-3 … that is free."""
    from genpipe import paths

    number, free = 1, name
    while free in project.index.experiments or (project.root / paths.pipeline(free)).exists():
        number, free = number + 1, f"{name}-{number + 1}"
    return free


def _but(usual: str, given: str) -> str | None:
    return None if given == usual else given


def _seeds(given: str) -> int | None:
    """Returns the number of seeds; None for one experiment with the recipe's own seed."""
    if not given.isascii() or not given.isdigit():
        raise UsageError(f"'{given}' is not a whole number: 1 keeps the recipe's seed, 3 makes the seeds 0, 1 and 2.")
    return None if given == "1" else int(given)
