"""Commands for training."""

import os
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from genpipe.cli import _names, _screen
from genpipe.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from genpipe.config.project import Experiment, Project
    from genpipe.project.journal import Journal
    from genpipe.project.temporary import Temporary
    from genpipe.training.unfinished import Unfinished


def train(
    name: Annotated[str, typer.Argument(help="An experiment.", autocompletion=_names.experiments)],
    options: Annotated[list[str] | None, typer.Argument(help="Options of dvc repro.")] = None,
    find_batch: Annotated[
        bool, typer.Option("--find-batch", help="Do not train; find the largest batch that fits in memory.")
    ] = False,
) -> None:
    """Train an experiment, or resume its training: dvc repro train@NAME, with its options."""
    from genpipe import paths
    from genpipe.config.project import load_project

    project = load_project()
    if name not in project.index.experiments:
        raise UnknownName(name, f"experiment in {paths.INDEX}", project.index.experiments)
    os.chdir(project.root)
    if not find_batch:
        os.execv(sys.executable, [sys.executable, "-m", "dvc", "repro", f"train@{name}", *(options or [])])
    elif options:
        raise UsageError(f"--find-batch takes only a name; leave out {' '.join(options)}.")
    else:
        _screen.say(_largest_batch(project, project.experiment(name)))


def clean(
    everything: Annotated[
        bool, typer.Option("--all", help="Also remove trainings that could be resumed, and files that may be in use.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
) -> None:
    """Show what killed commands and trainings have left behind; undo or remove what is useless."""
    from genpipe.config.project import load_project
    from genpipe.project import lock, temporary
    from genpipe.training import unfinished

    project = load_project()
    trainings, files = unfinished.unfinished(project), temporary.temporaries(project.root)
    killed = lock.interrupted(project.root)
    _show(trainings, files, killed)
    old = [one for one in trainings if everything or one.fits is False]
    useless = [one for one in files if everything or one.abandoned]
    many = f"{len(old) + len(useless)} of them" if old or useless else "what was half done"
    if not (old or useless or killed):
        return
    if not (yes or (sys.stdin.isatty() and typer.confirm(f"Remove {many}?"))):
        _screen.say(f"Nothing is removed. To remove {many}: genpipe clean --yes{' --all' * everything}")
        return
    with lock.changing(project.root, keep=True):
        for training in old:
            if training.folder.exists():
                unfinished.remove(training)
        for file in useless:
            file.remove(project.root)
    _screen.say(f"Removed {many}.")


def _show(trainings: "list[Unfinished]", files: "list[Temporary]", killed: "Journal | None") -> None:
    if killed:
        _screen.say(
            f"`{killed.command}` was killed half-way; --yes undoes it, as does the next command that changes a file."
        )
    if trainings:
        _screen.table([_row(one) for one in trainings])
    else:
        _screen.say("No training is unfinished.")
    if files:
        _screen.table([_row_of_file(one) for one in files])


def _row(one: "Unfinished") -> dict[str, object]:
    from rich.filesize import decimal

    return {
        "experiment": one.experiment,
        "key": one.key,
        "step": one.step,
        "size": decimal(one.size_bytes),
        "age": _age(one.written_at),
        "state": one.why,
    }


def _row_of_file(one: "Temporary") -> dict[str, object]:
    from rich.filesize import decimal

    state = "abandoned" if one.abandoned else "useful if the edit is undone" if one.waits else "may still be in use"
    return {
        "temporary": str(one.path),
        "size": decimal(one.size_bytes),
        "age": _age(one.written_at),
        "state": state,
    }


def _age(written_at: float) -> str:
    hours = (time.time() - written_at) / 3600
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.1f} hours"


def _largest_batch(project: "Project", experiment: "Experiment") -> str:
    """Returns the largest batch that fits, in words: tried on a GPU, estimated elsewhere."""
    import torch

    from genpipe import paths
    from genpipe.dataset.storage import Prepared
    from genpipe.training.batchsize import fits_here, largest, with_batch

    if not experiment.knobs.optim:
        raise UsageError(f"{experiment.name} is fitted in closed form, without batches.")
    train = experiment.knobs.train
    most = len(Prepared.open(paths.data(experiment.data.name)).images("train"))
    if torch.cuda.is_available():
        how = f"tried on {torch.cuda.get_device_name()}, with one update of each phase; leave some room"
        size = largest(lambda size: fits_here(project, with_batch(experiment, size)), train.batch_size, most)
    else:
        free, how = _free_memory()
        size = largest(lambda size: _needs(project, with_batch(experiment, size)) <= free, train.batch_size, most)
    found = f"The largest batch that fits has {size:,} images" if size else "Not even a batch of one image fits"
    return f"{found}{', the whole training set' * (size == most)} ({how}). train.batch_size is {train.batch_size:,}."


def _free_memory() -> tuple[int, str]:
    """Returns the free bytes, and how a batch is compared with them."""
    import psutil
    from rich.filesize import decimal

    free = psutil.virtual_memory().available
    return (
        free,
        f"its tensors, estimated and not tried, in {decimal(free)} of free memory; leave room for PyTorch itself",
    )


def _needs(project: "Project", experiment: "Experiment") -> int:
    """Returns the bytes of a training's tensors. Raises UsageError if they cannot be counted."""
    from genpipe.project import cost

    memory = cost.memory(project.root, experiment)
    if memory is None or memory.activations is None:
        raise UsageError(f"the memory that {experiment.name} needs can only be found by running it on a GPU.")
    return memory.total
