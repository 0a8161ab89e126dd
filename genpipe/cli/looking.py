"""The commands that only look."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from genpipe import registry
from genpipe.cli import _names, _screen
from genpipe.errors import UnknownName

AsJson = Annotated[bool, typer.Option("--json", help="For scripts.")]


class Listed(StrEnum):
    """What can be listed."""

    SYSTEMS = "systems"
    DATA = "data"
    METRICS = "metrics"
    ANALYSES = "analyses"
    RECIPES = "recipes"


def list_names(what: Listed, json: AsJson = False) -> None:
    """List what there is to build experiments from."""
    rows = _rows(what)
    if json:
        _screen.as_json(rows)
    else:
        _screen.lines((row["name"], row.get("kind", ""), row["summary"]) for row in rows)


def show(
    name: Annotated[str, typer.Argument(help="An experiment.", autocompletion=_names.experiments)],
    json: AsJson = False,
) -> None:
    """Show an experiment with every knob, defaults written out."""
    from genpipe import config

    resolved = config.load().experiment(name).resolved()
    if json:
        _screen.as_json(resolved)
    else:
        import yaml

        typer.echo(yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True, width=120), nl=False)


def compare(
    names: Annotated[
        list[str] | None, typer.Argument(help="Experiments; all, if none.", autocompletion=_names.experiments)
    ] = None,
    json: AsJson = False,
) -> None:
    """Compare the scores of experiments."""
    from genpipe import paths
    from genpipe.reporting import leaderboard

    rows = _chosen(leaderboard.rows(paths.root()), names or [])
    if json:
        _screen.as_json(rows)
    elif rows:
        _screen.table(rows)
    else:
        typer.echo("There are no scores yet. `dvc repro` makes them.")


def check() -> None:
    """Check params.yaml and all experiments; everything that is wrong is shown at once."""
    from genpipe import composing, config

    project = config.load()
    count = len(project.check())
    composing.verify_datasets(project)
    typer.echo(f"{count} experiment{'s are' if count != 1 else ' is'} fine")


def _chosen(rows: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    scored = {row["experiment"]: row for row in rows}
    for name in names:
        if name not in scored:
            raise UnknownName(name, "experiment of the leaderboard", scored)
    return [scored[name] for name in names] if names else rows


def _rows(what: Listed) -> list[dict[str, str]]:
    if what is Listed.RECIPES:
        from genpipe.composing import recipes

        return [{"name": name, "summary": recipes.summary(name)} for name in recipes.names()]
    if what is Listed.DATA:
        return [{**row, "kind": "data set"} for row in _data_sets()] + [
            {**row, "kind": "data source"} for row in _open_folder("data")
        ]
    return _open_folder("models" if what is Listed.SYSTEMS else what.value)


def _open_folder(kind: str) -> list[dict[str, str]]:
    return [{"name": name, "summary": summary} for name, summary in registry.summaries(kind)]


def _data_sets() -> list[dict[str, str]]:
    from genpipe import config

    sets = config.load().index.datasets
    return [{"name": name, "summary": ", ".join(f"{k} {v}" for k, v in knobs.items())} for name, knobs in sets.items()]
