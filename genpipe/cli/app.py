"""The commands, put together. Nothing heavy is imported before a command runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from genpipe import __version__
from genpipe.cli import _screen, composing, data, latent, looking, projects, running, scoring, training
from genpipe.cli._examples import examples
from genpipe.errors import visible


class _Program(TyperGroup):
    """A refused argument is shown with all that cannot be seen in it."""

    def make_context(self, *given: Any, **more: Any) -> Any:
        with _visible_refusals():
            return super().make_context(*given, **more)

    def invoke(self, *given: Any, **more: Any) -> Any:
        with _visible_refusals():
            return super().invoke(*given, **more)


@contextmanager
def _visible_refusals() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if isinstance(message := getattr(error, "message", None), str) and hasattr(error, "format_message"):
            error.message = visible(message)  # type: ignore[attr-defined]
        raise


app = typer.Typer(
    cls=_Program,
    help="A laboratory for generative models: a YAML file in, scores and a report out. `dvc repro` runs what there is.",
    no_args_is_help=True,
    epilog=examples(""),
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> bool:
    if asked:
        _screen.say(f"genpipe {__version__}")
        raise typer.Exit
    return asked


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of the program itself."""


app.command(epilog=examples("init"))(projects.init)
app.command("new-experiment", epilog=examples("new-experiment"))(composing.new_experiment)
app.command(epilog=examples("remove"))(composing.remove)
app.command(epilog=examples("rename"))(composing.rename)
app.command("list", epilog=examples("list"))(looking.list_names)
app.command(epilog=examples("show"))(looking.show)
app.command(epilog=examples("compare"))(looking.compare)
app.command(epilog=examples("check"))(looking.check)
app.command("new-model", epilog=examples("new-model"))(projects.new_model)
app.command("test-model", epilog=examples("test-model"))(projects.contract)
app.command(epilog=examples("upgrade"))(projects.upgrade)
app.add_typer(data.app, name="data")
app.command(epilog=examples("score"))(scoring.score)
app.command(context_settings={"ignore_unknown_options": True}, epilog=examples("train"))(
    training.train
)  # they are for DVC
app.command(epilog=examples("clean"))(training.clean)
app.command(epilog=examples("sample"))(running.sample)
for command in (latent.encode, latent.decode, latent.reconstruct, latent.walk, latent.arithmetic, latent.traverse):
    app.command(epilog=examples(command.__name__))(command)
app.command(epilog=examples("ui"))(running.ui)
