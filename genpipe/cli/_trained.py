"""A trained experiment that a command works with."""

from typing import TYPE_CHECKING, Annotated

import typer

from genpipe.cli import _names, _screen

if TYPE_CHECKING:
    from genpipe.sampling.latent import Capability, TrainedModel

Name = Annotated[str, typer.Argument(help="A trained experiment.", autocompletion=_names.experiments)]
SkipBroken = Annotated[bool, typer.Option("--skip-broken", help="Leave out pictures that cannot be read.")]


def trained_model(name: str, needed: "Capability", skip_broken: bool) -> "TrainedModel":
    """The model of an experiment. Raises UnknownName, or UsageError if it cannot do what is needed."""
    from genpipe.config.project import load_project
    from genpipe.dataset.reading import Reading
    from genpipe.sampling.latent import TrainedModel

    return TrainedModel.of(load_project(), name, needed, Reading(skip_broken=skip_broken, told=_screen.remark))
