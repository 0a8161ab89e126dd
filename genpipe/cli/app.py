"""The commands, put together. Nothing heavy is imported before a command runs."""

from typing import Annotated

import typer

from genpipe import __version__
from genpipe.cli import composing, data, latent, looking, running, scoring, training

app = typer.Typer(
    help="A laboratory for generative models: a YAML file in, scores and a report out. `dvc repro` runs what there is.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> bool:
    if asked:
        typer.echo(f"genpipe {__version__}")
        raise typer.Exit
    return asked


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of the program itself."""


app.command("new-experiment")(composing.new_experiment)
app.command()(composing.remove)
app.command()(composing.rename)
app.command("list")(looking.list_names)
app.command()(looking.show)
app.command()(looking.compare)
app.command()(looking.check)
app.add_typer(data.app, name="data")
app.command()(scoring.score)
app.command(context_settings={"ignore_unknown_options": True})(training.train)  # they are for DVC
app.command()(training.clean)
app.command()(running.sample)
for command in (latent.encode, latent.decode, latent.reconstruct, latent.walk, latent.arithmetic, latent.traverse):
    app.command()(command)
app.command()(running.ui)
