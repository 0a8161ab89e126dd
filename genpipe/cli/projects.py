"""The commands about a project as a whole, and about models of a person's own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genpipe.cli import _names, _screen
from genpipe.cli.composing import DryRun
from genpipe.errors import GenpipeError, UsageError

if TYPE_CHECKING:
    from genpipe.composing import Beginning, Plan

OwnPackage = Annotated[
    str | None, typer.Option(metavar="NAME", help="A package of your own: models, data, metrics, … of this project.")
]
_LAST = 4
"""So many lines of a traceback are shown."""


def init(
    folder: Annotated[Path, typer.Argument(help="Where; it is made if it is not there.")] = Path(),
    package: OwnPackage = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Renew dvc.yaml and stages/ of a project.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Make a folder a project: an index with one experiment, the wiring, git and DVC. Nothing is overwritten."""
    from genpipe import composing

    if refresh:
        if package:
            raise UsageError("--refresh renews the wiring alone; leave out --package.")
        _renew(folder.resolve(), dry_run)
        return
    found = composing.beginning(folder, package)
    if not dry_run:
        found.write()
    _tell(found, folder, dry_run)


def upgrade(dry_run: DryRun = False) -> None:
    """Make a project fit this genpipe: renew its wiring, and say which experiments train again because of what code."""
    from genpipe import __version__, composing, config, paths

    root = paths.root()
    _renew(root, dry_run)
    again = composing.again(config.load())
    trained = [stage.partition("@")[2] for stage in again if stage.startswith("train@")]
    if not again:
        _screen.say(
            f"What has run, has run with the code of genpipe {__version__}: nothing runs again because of code."
        )
        return
    names = _screen.listed(trained, 20) if trained else "No experiment"
    _screen.say(f"{names} {'train' if len(trained) > 1 else 'trains'} again. `dvc repro` would run, for their code:")
    _screen.lines((f"  {stage}", _screen.listed(why, 3)) for stage, why in again.items())
    _screen.say("What follows these stages runs if they make something else than before.")


def new_model(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    source: Annotated[str, typer.Option("--from", help="The model to copy.", autocompletion=_names.models)],
    package: OwnPackage = None,
    dry_run: DryRun = False,
) -> None:
    """Add a model of your own, begun as a copy: a file and a recipe in your package."""
    from genpipe import composing, paths

    plan = composing.carry_out(
        paths.root(), lambda project: composing.new_model(project, name, source, package), dry_run=dry_run
    )
    _wrote(plan, dry_run)
    if not dry_run:
        _screen.say(f"Next: genpipe test-model {name}; genpipe new-experiment NAME --recipe {name}")


def contract(
    name: Annotated[str, typer.Argument(help="A model: a file of models/.", autocompletion=_names.models)],
    size: Annotated[
        int | None, typer.Option(min=1, help="Width and height of images that suit it; 8 and 16 if not given.")
    ] = None,
) -> None:
    """Test what every model keeps: own weights, finite losses, shapes, seeds. For pytest: genpipe.testing."""
    from contextlib import suppress
    from dataclasses import replace

    from genpipe import config
    from genpipe.testing import SPECS, NotApplicable, checks_of, in_words

    with suppress(UsageError):  # where no project is, the models are genpipe's
        config.load()
    specs = SPECS if size is None else tuple(replace(spec, height=size, width=size) for spec in SPECS)
    failed = 0
    for check, spec in checks_of(name, specs):
        try:
            check(name, spec)
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
    """What a check says, or the end of the traceback of an error that it did not expect."""
    from traceback import format_exception

    from genpipe.testing import Broken

    said = [str(error)] if isinstance(error, Broken | GenpipeError) else "".join(format_exception(error)).splitlines()
    return "\n".join(f"        {line}" for line in said[-_LAST:])


def _renew(root: Path, dry_run: bool) -> None:
    from genpipe import composing, paths

    if not (root / paths.INDEX).is_file():
        raise UsageError(f"{root} is no genpipe project: it has no {paths.INDEX}. To make it one: genpipe init")
    plan = composing.renewal(root)
    if not dry_run:
        with composing.changing(root):
            composing.renewal(root).write("genpipe init --refresh")
    _wrote(plan, dry_run) if plan.changes else _screen.say("The wiring is that of this genpipe.")


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
    _screen.say(f"{would} {', '.join(new)}." if new else "All files are there already.")
    if grown:
        _screen.say(f"{'Would add' if dry_run else 'Added'} lines to {_screen.listed(grown)}.")
    if started:
        _screen.say(f"{'Would start' if dry_run else 'Started'} {' and '.join(started)} in {found.root}.")
    if found.kept:
        _screen.say(f"Left as it is: {_screen.listed([str(file) for file in found.kept])}.")
    if not dry_run and shutil.which("dvc") is None:
        _screen.remark("dvc is not on the path: it comes with genpipe (pipx: install --include-deps).")
    if not dry_run:
        _screen.say(f"Next: {'' if found.root == Path.cwd().resolve() else f'cd {folder} && '}dvc repro")
