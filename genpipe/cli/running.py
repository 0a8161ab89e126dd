"""Commands that use trained experiments and finished runs."""

from contextlib import chdir
from pathlib import Path
from typing import Annotated

import typer

from genpipe.cli import _names, _screen
from genpipe.errors import ExistsError, UnknownName


def sample(
    name: Annotated[str, typer.Argument(help="A trained experiment.", autocompletion=_names.experiments)],
    images: Annotated[int, typer.Option("--images", "-n", min=1, max=10_000, help="Number of images.")] = 64,
    out: Annotated[Path, typer.Option("--out", "-o", help="Picture to write.")] = Path("grid.png"),
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The same seed gives the same images.")] = 0,
    sets: Annotated[
        list[str] | None, typer.Option("--set", "-s", metavar="OPTION=VALUE", help="Set an option of sampling.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the picture if it exists.")] = False,
) -> None:
    """Generate images with a trained model and write them as one picture."""
    from genpipe import paths
    from genpipe.config.project import load_project

    project = load_project()
    if name not in project.index.experiments:
        raise UnknownName(name, f"experiment in {paths.INDEX}", project.index.experiments)
    if out.exists() and not force:
        raise ExistsError(f"{out} exists. Give another -o, or --force to replace it.")
    from genpipe.project.datasets import settings
    from genpipe.sampling.drawing import draw_grid

    draw_grid(project.root, project.experiment(name), images, seed, out, **settings(sets or []))
    _screen.say(f"Wrote {out}.")


def ui(port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the server.")] = 5000) -> None:
    """Browse all runs in MLflow."""
    from genpipe import paths
    from genpipe.tracking.pages import ui as serve

    with chdir(paths.root()):
        serve(port)
