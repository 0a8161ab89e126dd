"""Commands for a project as a whole and for your own models."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genpipe.cli import _names, _screen
from genpipe.cli.experiments import DryRun
from genpipe.errors import GenpipeError, UsageError

if TYPE_CHECKING:
    from genpipe.project.init import Beginning
    from genpipe.project.plan import Plan


OwnPackage = Annotated[
    str | None, typer.Option(metavar="NAME", help="Your own package, with models, data, metrics, … of this project.")
]
_LAST = 4
"""Lines of a traceback to show."""


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the project; it is created if needed.")] = Path(),
    package: OwnPackage = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Update dvc.yaml and stages/ of a project.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Make a folder a project: params.yaml with one experiment, dvc.yaml, git and DVC. Nothing is overwritten."""
    from genpipe.project import init
    from genpipe.project.refresh import renewal

    if refresh:
        if package:
            raise UsageError("--refresh only updates dvc.yaml and stages/; leave out --package.")
        _renew(folder.resolve(), renewal, dry_run)
        return
    found = init.beginning(folder, package)
    if not dry_run:
        found.write()
    _tell(found, folder, dry_run)


def upgrade(dry_run: DryRun = False) -> None:
    """Update a project to this genpipe: dvc.yaml, stages/ and names in YAML. Shows what trains again, and why."""
    from genpipe import __version__, paths
    from genpipe.project import upgrade

    root = paths.root()
    _renew(root, upgrade.upgraded, dry_run)
    again = upgrade.again(root)
    trained = [stage.partition("@")[2] for stage in again if stage.startswith("train@")]
    if not again:
        _screen.say(
            f"All results were made with the code of genpipe {__version__}: nothing runs again because of code."
        )
        return
    names = _screen.listed(trained, 20) if trained else "No experiment"
    _screen.say(
        f"{names} {'train' if len(trained) > 1 else 'trains'} again. `dvc repro` would run, as their code differs:"
    )
    _screen.lines((f"  {stage}", _screen.listed(why, 3)) for stage, why in again.items())
    _screen.say("The stages after these run if the results change.")


def new_model(
    name: Annotated[str, typer.Argument(help="Name of the new model.")],
    source: Annotated[str, typer.Option("--from", help="Model to copy.", autocompletion=_names.models)],
    package: OwnPackage = None,
    dry_run: DryRun = False,
) -> None:
    """Add your own model as a copy of another: a file and a recipe in your package."""
    from genpipe import paths
    from genpipe.project import lock, own_model

    plan = lock.carry_out(
        paths.root(), lambda project: own_model.new_model(project, name, source, package), dry_run=dry_run
    )
    _wrote(plan, dry_run)
    if not dry_run:
        _screen.say(f"Next: genpipe test-model {name}; genpipe new-experiment NAME --recipe {name}")


def contract(
    name: Annotated[str, typer.Argument(help="A model: a file of models/.", autocompletion=_names.models)],
    size: Annotated[
        str | None,
        typer.Option(metavar="PIXELS", help="Size of the test images, as 32 or 24x32. Default: 8 and 16x24."),
    ] = None,
) -> None:
    """Test the rules for every model: own weights, finite losses, shapes, seeds. For pytest: genpipe.testing."""
    from contextlib import suppress
    from dataclasses import replace

    from genpipe.cli._image_size import parsed
    from genpipe.config.project import load_project
    from genpipe.interfaces.spec import sides
    from genpipe.standins import NoStandIn
    from genpipe.testing import SPECS, NotApplicable, checks_of, in_words

    with suppress(UsageError):  # where no project is, the models are genpipe's
        load_project()
    specs = SPECS
    if size is not None:
        height, width = sides(parsed(size))
        specs = tuple(replace(spec, height=height, width=width) for spec in SPECS)
    failed = 0
    for check, spec in checks_of(name, specs):
        try:
            check(name, spec)
        except NoStandIn as why:
            _screen.say(f"skipped {in_words(check, spec)}\n        {why}")
        except NotApplicable:
            continue
        except Exception as error:  # of a person's own code, whatever it is
            failed += 1
            _screen.say(f"FAILED  {in_words(check, spec)}\n{_why(error)}")
        else:
            _screen.say(f"ok      {in_words(check, spec)}")
    if failed:
        raise GenpipeError(f"{name} fails {failed} check{'s' if failed > 1 else ''}.")


def _why(error: Exception) -> str:
    """Returns the message of a check, or the end of the traceback of an unexpected error."""
    from traceback import format_exception

    from genpipe.testing import Broken

    said = [str(error)] if isinstance(error, Broken | GenpipeError) else "".join(format_exception(error)).splitlines()
    return "\n".join(f"        {line}" for line in said[-_LAST:])


def _renew(root: Path, renewal: Callable[[Path], "Plan"], dry_run: bool) -> None:
    from genpipe import paths
    from genpipe.project import lock

    if not (root / paths.INDEX).is_file():
        raise UsageError(f"{root} is not a genpipe project: it has no {paths.INDEX}. To make it one: genpipe init")
    with nullcontext() if dry_run else lock.changing(root):
        plan = renewal(root)
        if not dry_run:
            plan.write(lock.command())
    _wrote(plan, dry_run) if plan.changes else _screen.say("The project is up to date.")


def _wrote(plan: "Plan", dry_run: bool) -> None:
    if dry_run:
        _screen.diff(plan.diff())
        _screen.say("\nNothing is written.")
    else:
        _screen.say(f"Wrote {_screen.listed([str(change.file) for change in plan.changes], 20)}.")


def _tell(found: "Beginning", folder: Path, dry_run: bool) -> None:
    import shutil

    new = [str(change.file) for change in found.changes if change.before is None]
    grown = [str(change.file) for change in found.changes if change.before is not None and change.needed]
    started = ["git"] * found.needs_git + ["DVC"] * found.needs_dvc
    would = "Would write" if dry_run else "Wrote"
    _screen.say(f"{would} {', '.join(new)}." if new else "All files already exist.")
    if grown:
        _screen.say(f"{'Would add' if dry_run else 'Added'} lines to {_screen.listed(grown)}.")
    if started:
        _screen.say(f"{'Would start' if dry_run else 'Started'} {' and '.join(started)} in {found.root}.")
    if found.kept:
        _screen.say(f"Left as it is: {_screen.listed([str(file) for file in found.kept])}.")
    if not dry_run and shutil.which("dvc") is None:
        _screen.remark("dvc is not on the PATH. It comes with genpipe (pipx: install --include-deps).")
    if not dry_run:
        _screen.say(f"Next: {'' if found.root == Path.cwd().resolve() else f'cd {folder} && '}dvc repro")
