"""All commands of `genpipe`. Heavy imports wait until a command runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from genpipe import __version__
from genpipe.cli import (
    _screen,
    data,
    experiments,
    inspecting,
    latent,
    projects,
    running,
    scoring,
    training,
    translating,
)
from genpipe.cli._examples import examples
from genpipe.errors import visible


class _Program(TyperGroup):
    """Shows invisible characters in the message about a refused argument."""

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
    help="Experiments with generative models: YAML files in, scores and a report out. `dvc repro` runs them.",
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
app.command("new-experiment", epilog=examples("new-experiment"))(experiments.new_experiment)
app.command(epilog=examples("remove"))(experiments.remove)
app.command(epilog=examples("rename"))(experiments.rename)
app.command("list", epilog=examples("list"))(inspecting.list_names)
app.command(epilog=examples("show"))(inspecting.show)
app.command(epilog=examples("compare"))(inspecting.compare)
app.command(epilog=examples("check"))(inspecting.check)
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
for command in (
    latent.encode,
    latent.decode,
    latent.reconstruct,
    latent.interpolate,
    latent.arithmetic,
    latent.traverse,
    translating.translate,
    translating.inpaint,
    translating.edit,
    translating.upscale,
):
    app.command(epilog=examples(command.__name__))(command)
app.command(epilog=examples("ui"))(running.ui)
