"""The command that adds an experiment."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genpipe.cli import _names, _screen

if TYPE_CHECKING:
    from genpipe.composing import Plan


class Profile(StrEnum):
    """Sizes of an experiment."""

    SMOKE = "smoke"
    LAPTOP = "laptop"
    GPU = "gpu"


def new_experiment(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    recipe: Annotated[
        str | None, typer.Option("--recipe", "-r", help="What to start from.", autocompletion=_names.recipes)
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", help="An experiment to start from instead.", autocompletion=_names.experiments),
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", "-d", help="A data set of params.yaml.", autocompletion=_names.data)
    ] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", "-s", metavar="PATH=VALUE", help="Turn a knob: train.steps=2000.")
    ] = None,
    profile: Annotated[
        Profile, typer.Option(help="smoke: seconds. laptop: minutes. gpu: the paper's sizes.")
    ] = Profile.LAPTOP,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an experiment of this name.")] = False,
    json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Add an experiment: pipelines/NAME.yaml and one line of params.yaml."""
    from genpipe import composing, config

    plan = composing.plan(config.load(), name, recipe, data, sets or [], profile.value, source, force=force)
    if dry_run:
        plan.verify()
    else:
        plan.write()
    if json:
        _screen.as_json(_summary(plan, dry_run))
    else:
        _tell(plan, dry_run)


def _summary(plan: "Plan", dry_run: bool) -> dict[str, object]:
    return {
        "experiment": plan.experiment.name,
        "system": plan.experiment.model_name,
        "data": plan.experiment.data.name,
        "parameters": plan.parameters(),
        "files": [str(change.file) for change in plan.changes],
        "written": bool(plan.changes) and not dry_run,
        "stages": plan.stages(),
        "next": _next(plan),
    }


def _tell(plan: "Plan", dry_run: bool) -> None:
    if not plan.changes:
        typer.echo(f"{plan.experiment.name} is there already, just so: nothing changed.")
    elif dry_run:
        _screen.diff(plan.diff())
        typer.echo(f"\nNothing is written. `dvc repro` would run: {', '.join(plan.stages())}")
    else:
        typer.echo(f"Wrote {' and '.join(str(change.file) for change in plan.changes)}.")
    system, count = plan.experiment.model_name, plan.parameters()
    typer.echo(f"{system}: {f'{count:,} parameters' if count else 'no parameters to train, fitted in closed form'}")
    if not dry_run:
        typer.echo(f"Next: {_next(plan)}")


def _next(plan: "Plan") -> str:
    """What to type; DVC runs in the project's root."""
    away = os.path.relpath(plan.root, Path.cwd())
    return "dvc repro" if away == "." else f"cd {away} && dvc repro"
