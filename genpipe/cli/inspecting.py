"""Commands that only read."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from genpipe import registry
from genpipe.cli import _names, _screen
from genpipe.errors import ConfigError, GenpipeError, UnknownName, UsageError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


class Listed(StrEnum):
    """What can be listed."""

    MODELS = "models"
    DATA = "data"
    DERIVATIONS = "derivations"
    EXTRACTORS = "extractors"
    METRICS = "metrics"
    ANALYSES = "analyses"
    RECIPES = "recipes"


def list_names(
    what: Annotated[Listed | None, typer.Argument(help="Kind to list. Default: all.", show_default=False)] = None,
    json: AsJson = False,
) -> None:
    """List the parts of experiments: models, data, derivations, extractors, metrics, analyses, recipes."""
    sets = _data_sets()
    found = {kind.value: _rows(kind, sets) for kind in ([what] if what else Listed)}
    if json:
        _screen.as_json(found[what.value] if what else found)
        return
    for number, (kind, rows) in enumerate(found.items()):
        if not what:
            _screen.say(f"\n{kind}:" if number else f"{kind}:")
        _screen.lines((row["name"], row.get("kind", ""), _origin(row), row["summary"]) for row in rows)


def show(
    name: Annotated[str, typer.Argument(help="An experiment.", autocompletion=_names.experiments)],
    status: Annotated[bool, typer.Option(help="Ask DVC which of its stages are stale.")] = True,
    json: AsJson = False,
) -> None:
    """Show an experiment: every knob, where its value comes from, and which stages are stale."""
    from genpipe.config.project import load_project
    from genpipe.project import origin

    project = load_project()
    knobs = origin.knobs(project, name)
    stale, why_not = _stale(project.root, name) if status else (None, None)
    if json:
        resolved = project.experiment(name).resolved()
        origins = {".".join(map(str, knob.path)): knob.origin for knob in knobs}
        _screen.as_json({"resolved": resolved, "from": origins, "stale": stale, "error": why_not})
        return
    _screen.tree([(knob.path, knob.value, knob.origin) for knob in knobs])
    if stale is not None:
        _screen.say("\n# Stale stages:" if stale else "\n# No stage is stale.")
        _screen.lines((f"#   {stage}", _screen.listed(why, 3)) for stage, why in stale.items())
    elif why_not:
        _screen.say(f"\n# {why_not}")


def compare(
    names: Annotated[
        list[str] | None, typer.Argument(help="Experiments. Default: all.", autocompletion=_names.experiments)
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
        for data in dict.fromkeys(row["data"] for row in rows):
            _screen.side_by_side(data, _beside([row for row in rows if row["data"] == data]))
    else:
        _screen.say("There are no scores yet. `dvc repro` makes them.")


def check(
    name: Annotated[
        str | None, typer.Argument(help="Experiment. Default: everything.", autocompletion=_names.experiments)
    ] = None,
) -> None:
    """Check params.yaml, dvc.yaml and all experiments, and show all errors at once."""
    from genpipe import paths
    from genpipe.config.project import load_project
    from genpipe.project import checking, lock, refresh

    if name is not None:
        load_project().experiment(name)
        _screen.say(f"{name} is fine")
        return
    root = paths.root()
    if found := checking.problems(root):
        raise ConfigError(found)
    project = load_project()
    count = len(project.index.experiments)
    _screen.say(f"{count} experiment{'s are' if count != 1 else ' is'} fine")
    for name in project.index.datasets:
        spec = project.data(name).spec()
        if empty := [spec.classes[number] for number in spec.untrained]:
            few = _screen.listed(empty)
            _screen.say(f"datasets.{name}: no training images of class {few}, which is neither generated nor scored")
    if places := refresh.deviations(root):
        _screen.say(
            f"{_screen.listed(places)}: differs from this genpipe. To see and update it: genpipe init --refresh"
        )
    for file in checking.orphans(project):
        _screen.say(f"{file} belongs to no experiment of {paths.INDEX}")
    if killed := lock.interrupted(root):
        _screen.say(f"`{killed.command}` was killed half-way. To undo it: genpipe clean --yes")


def _stale(root: Path, name: str) -> tuple[dict[str, list[str]] | None, str | None]:
    """Returns the stale stages of an experiment with the reasons, or why they are not known."""
    from genpipe.project import stale

    try:
        return dict(stale.stale(root, name)), None
    except GenpipeError as error:
        return None, str(error)


def _chosen(rows: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    scored = {row["experiment"]: row for row in rows}
    for name in names:
        if name not in scored:
            raise UnknownName(name, "experiment of the leaderboard", scored)
    return [scored[name] for name in names] if names else rows


def _beside(rows: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Returns all figures of each experiment, followed by their intervals."""
    from genpipe.reporting.leaderboard import HIGH, LOW

    known = [key for key in rows[0] if any(row[key] is not None for row in rows)]
    ends = {f"{key}{end}" for key in known for end in (LOW, HIGH)}
    shown = [key for key in known if key not in {"data", "experiment", *ends}]

    def cell(row: dict[str, Any], key: str) -> str:
        low, high = row.get(f"{key}{LOW}"), row.get(f"{key}{HIGH}")
        value = _screen.cell(row[key])
        return value if low is None else f"{value} [{_screen.cell(low)}, {_screen.cell(high)}]"

    return {row["experiment"]: {key: cell(row, key) for key in shown} for row in rows}


def _rows(what: Listed, sets: list[dict[str, str]]) -> list[dict[str, str]]:
    if what is Listed.RECIPES:
        from genpipe.project import recipes

        return [{"name": name, "package": of, "summary": summary} for name, of, summary in recipes.summaries()]
    if what is Listed.DATA:
        sources = [{**row, "kind": "data source"} for row in _open_folder("data")]
        return [{**row, "kind": "data set"} for row in sets] + sources
    return _open_folder(what.value)


def _open_folder(kind: str) -> list[dict[str, str]]:
    return [{"name": name, "package": of, "summary": summary} for name, of, summary in registry.summaries(kind)]


def _origin(row: dict[str, str]) -> str:
    """Returns the package of a part, if there is more than one package."""
    return row.get("package", "") if registry.used().own else ""


def _data_sets() -> list[dict[str, str]]:
    """Returns the data sets of the project and registers its package; returns none outside of a project."""
    from genpipe.config.project import load_project

    try:
        sets = load_project().index.datasets
    except UsageError:  # what genpipe has can be listed outside of a project, too
        return []
    return [{"name": name, "summary": ", ".join(f"{k} {v}" for k, v in knobs.items())} for name, knobs in sets.items()]
