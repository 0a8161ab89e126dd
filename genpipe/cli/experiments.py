"""Commands that add, remove and rename experiments."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genpipe.cli import _names, _screen
from genpipe.errors import UsageError

if TYPE_CHECKING:
    from genpipe.config.project import Experiment, Project
    from genpipe.project.new_experiment import ExperimentRequest
    from genpipe.project.plan import Plan


DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change; write nothing.")]
AnExperiment = Annotated[str, typer.Argument(help="An experiment.", autocompletion=_names.experiments)]


class Profile(StrEnum):
    """Sizes of an experiment."""

    SMOKE = "smoke"
    LAPTOP = "laptop"
    GPU = "gpu"


FromRecipe = Annotated[
    str | None, typer.Option("--recipe", "-r", help="Recipe to start from.", autocompletion=_names.recipes)
]
FromExperiment = Annotated[
    str | None, typer.Option("--from", help="Experiment to start from instead.", autocompletion=_names.experiments)
]
OnData = Annotated[
    str | None, typer.Option("--data", "-d", help="A data set of params.yaml.", autocompletion=_names.data)
]
Sets = Annotated[
    list[str] | None, typer.Option("--set", "-s", metavar="PATH=VALUE", help="Set a knob: train.steps=2000.")
]
Grid = Annotated[
    list[str] | None,
    typer.Option("--grid", "-g", metavar="PATH=A,B,C", help="One experiment for each value and each combination."),
]
Seeds = Annotated[int | None, typer.Option(metavar="N", help="One experiment for each seed from 0 to N-1.")]
Size = Annotated[
    Profile | None, typer.Option(help="smoke: seconds. laptop: minutes, the default. gpu: the paper's sizes.")
]


def new_experiment(
    name: Annotated[str | None, typer.Argument(help="Name of the new experiment.", show_default=False)] = None,
    recipe: FromRecipe = None,
    source: FromExperiment = None,
    data: OnData = None,
    sets: Sets = None,
    grid: Grid = None,
    seeds: Seeds = None,
    profile: Size = None,
    dry_run: DryRun = False,
    force: Annotated[bool, typer.Option("--force", help="Replace experiments with this name.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Add experiments: pipelines/NAME.yaml and one line of params.yaml each. Without arguments, it asks."""
    from genpipe.config.project import load_project
    from genpipe.project import new_experiment

    if name is not None:
        chosen = (profile or Profile.LAPTOP).value
        wish = new_experiment.ExperimentRequest(name, recipe, source, data, chosen, sets or (), grid or (), seeds)
        _carry_out(wish, force, dry_run, json)
    elif any((recipe, source, data, sets, grid, seeds is not None, profile, dry_run, force, json)) or not _a_terminal():
        raise UsageError("a name is needed: genpipe new-experiment NAME --recipe RECIPE (see genpipe list recipes).")
    else:
        _ask(load_project())


def remove(
    name: AnExperiment,
    outputs: Annotated[bool, typer.Option("--outputs", help="Also delete what it made.")] = False,
    dry_run: DryRun = False,
    force: Annotated[
        bool, typer.Option("--force", help="Remove it even if git does not have its file as it is now.")
    ] = False,
) -> None:
    """Remove an experiment: its file and its line of params.yaml."""
    from genpipe import paths
    from genpipe.project import existing, lock

    root = paths.root()
    plan = lock.carry_out(
        root, lambda project: existing.removal(project, name, outputs=outputs, force=force), dry_run=dry_run
    )
    left = [] if outputs else existing.outputs_of(root, name)
    tell_removed(plan, dry_run, left, f"genpipe remove {name} --outputs")
    _screen.say(f"Next, for a report without it: {_next(plan)}")


def tell_removed(plan: "Plan", dry_run: bool, left: list[Path], command: str) -> None:
    """Prints what was or would be removed, what is left, and the command that deletes the rest."""
    if dry_run:
        _screen.diff(plan.diff())
    gone = [*(str(change.file) for change in plan.changes if change.after is None), *map(str, plan.outputs)]
    gone += [f"the line of {change.file}" for change in plan.changes if change.after is not None]
    said = "That would remove" if dry_run else "Removed"
    _screen.say(f"{said} {_screen.listed(gone, 20)}." if gone else "Only what it made is left of it.")
    if left:
        _screen.say(f"Left: {', '.join(map(str, left))}\nTo delete that: {command}")


def rename(old: AnExperiment, new: Annotated[str, typer.Argument(help="New name.")], dry_run: DryRun = False) -> None:
    """Rename an experiment. It keeps its place in params.yaml."""
    from genpipe import paths
    from genpipe.project import existing, lock

    root = paths.root()
    plan = lock.carry_out(root, lambda project: existing.renaming(project, old, new), dry_run=dry_run)
    if dry_run:
        _screen.diff(plan.diff())
    _screen.say("\nNothing is written." if dry_run else f"{old} is now called {new}.")
    _screen.say("It will be trained again: DVC finds a result by its command, and the name is part of it.")
    left = existing.outputs_of(root, old)
    if left:
        _screen.say(f"Left of {old}: {', '.join(map(str, left))}\nTo delete that: genpipe remove {old} --outputs")
    _screen.say(f"Stages to run: {', '.join(plan.stages())}\nNext: {_next(plan)}")


def _ask(project: "Project") -> None:
    """Asks for everything, shows what would be written, and writes it if a person agrees."""
    from genpipe.cli._asking import ask
    from genpipe.project import new_experiment

    wish = ask(project)
    plan = new_experiment.plan(project, wish)
    _screen.diff(plan.diff())
    if plan.changes and not typer.confirm("\nWrite this?", default=True):
        raise typer.Exit(1)
    _carry_out(wish, force=False, dry_run=False, json=False)
    _screen.say(f"To do this again: {wish.command()}")


def _carry_out(wish: "ExperimentRequest", force: bool, dry_run: bool, json: bool) -> None:
    """Writes the files, except in a dry run, and reports it."""
    from genpipe import paths
    from genpipe.project import lock, new_experiment

    plan = lock.carry_out(
        paths.root(), lambda project: new_experiment.plan(project, wish, force=force), dry_run=dry_run
    )
    if json:
        _screen.as_json(_summary(plan, wish, dry_run))
    else:
        _tell(plan, wish, dry_run)


def _summary(plan: "Plan", wish: "ExperimentRequest", dry_run: bool) -> dict[str, object]:
    from dataclasses import asdict

    from genpipe.project import cost, new_experiment

    measured = new_experiment.measured(wish)
    rows = []
    for experiment in plan.experiments:
        memory = cost.memory(plan.root, experiment)
        rows.append(
            {
                "experiment": experiment.name,
                "model": experiment.model_name,
                "data": experiment.data.name,
                "parameters": cost.parameters(experiment),
                "memory_bytes": memory and {"total": memory.total, **asdict(memory)},
            }
        )
    return {
        "experiments": rows,
        "files": [str(change.file) for change in plan.changes],
        "written": bool(plan.changes) and not dry_run,
        "stages": plan.stages(),
        "left_out": plan.left_out,
        "notes": plan.notes,
        "measured": measured and measured.model_dump(),
        "next": _next(plan),
    }


def _tell(plan: "Plan", wish: "ExperimentRequest", dry_run: bool) -> None:
    if not plan.changes:
        names = [experiment.name for experiment in plan.experiments]
        there = "already exists" if len(names) == 1 else "already exist"
        _screen.say(f"{_screen.listed(names)} {there} as given: nothing changed.")
    elif dry_run:
        _screen.diff(plan.diff())
        _screen.say("\nNothing is written.")
    else:
        _screen.say(f"Wrote {_screen.listed([str(change.file) for change in plan.changes])}.")
    for told in plan.left_out:
        _screen.say(f"Left out, as the data does not support it: {told}")
    for note in plan.notes:
        _screen.say(note)
    _tell_the_cost(plan, wish)
    if not dry_run:
        _screen.say(f"Next: {_next(plan)}")


def _tell_the_cost(plan: "Plan", wish: "ExperimentRequest") -> None:
    """Prints the cost that is known before a run; experiments with the same cost share the lines."""
    from genpipe.project import new_experiment

    alike: dict[str, list[str]] = {}
    for experiment in plan.experiments:
        alike.setdefault(_cost(plan, experiment), []).append(experiment.name)
    for cost, names in alike.items():
        _screen.say(f"{_screen.listed(names)}{', each' if len(names) > 1 else ''}: {cost}")
    if measured := new_experiment.measured(wish):
        _screen.say(f"The unchanged recipe was measured to train in {measured.in_words()}.")
    elif wish.recipe:
        _screen.say(f"The training time of the recipe in the profile {wish.profile} is not measured yet.")
    if stages := plan.stages():
        _screen.say(f"Stages to run: {_stages(plan, stages)}")


def _cost(plan: "Plan", experiment: "Experiment") -> str:
    from genpipe.project import cost

    count, memory = cost.parameters(experiment), cost.memory(plan.root, experiment)
    trained = f"{count:,} parameters" if count else "no parameters to train, fitted in closed form"
    about = f"{experiment.model_name} on {experiment.data.name}, {trained}"
    return f"{about}\n  tensors in training, without PyTorch itself: {memory.in_words()}" if memory else about


def _stages(plan: "Plan", stages: list[str]) -> str:
    """Returns the stages as text, shorter for many experiments."""
    if len(plan.fresh) <= 2:
        return ", ".join(stages)
    shared = [stage for stage in stages if stage.partition("@")[2] not in plan.fresh]
    return f"{', '.join(shared[:-1])}, {{train, sample, evaluate}} of {len(plan.fresh)} experiments, {shared[-1]}"


def _a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _next(plan: "Plan") -> str:
    """Returns the next command; DVC runs in the project's root."""
    away = os.path.relpath(plan.root, Path.cwd())
    return "dvc repro" if away == "." else f"cd {away} && dvc repro"
