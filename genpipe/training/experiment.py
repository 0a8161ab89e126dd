"""Training of one experiment: from its YAML to a finished model and its curves."""

import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from genpipe import paths, registry
from genpipe.config import Experiment, Project
from genpipe.data._storage import Prepared
from genpipe.files import whole_file
from genpipe.modelfiles import save_model
from genpipe.provenance import result_key
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.devices import devices, first_process, shared_batches
from genpipe.training.loop import fit, seed
from genpipe.training.moments import Moment, Row


def train(
    project: Project, experiment: Experiment, watchers: Sequence[Callable[[Moment], None]] = ()
) -> Mapping[str, Any]:
    """Trains an experiment, or goes on where it was stopped; writes the model and the curves.

    The checkpoints stay until whoever called this has made sure of its results. Gives what is to be said of the
    training: steps, images/s, waiting for data, devices, parameters. Of several processes the first writes.
    """
    prepared, knobs = Prepared.open(project.root / paths.data(experiment.data.name)), experiment.knobs
    seed(knobs.seed)
    model = registry.load("models", experiment.model_name)(experiment.model, prepared.spec)
    device = devices(knobs.train)
    outcome = fit(
        model,
        shared_batches(prepared, knobs.train, knobs.seed, device),
        knobs.train,
        knobs.optim,
        device=device,
        checkpoints=checkpoints(project, experiment),
        watchers=watchers,
    )
    if device.is_global_zero:
        folder = project.root / paths.model(experiment.name)
        save_model(model, experiment.model_name, experiment.model, prepared.spec, folder)
        write_curves(outcome.curves, project.root / paths.curves(experiment.name))
    return {
        "steps": knobs.train.steps,
        "resumed_from_step": outcome.resumed_from_step,
        "images_per_sec": outcome.images_per_sec,
        "data_wait_share": outcome.data_wait_share,
        "parameters": sum(p.numel() for p in model.parameters()),
        "device": str(device.device),
        "devices": device.world_size,
        "precision": device._precision.precision,
    }


def assist(project: Project, experiment: Experiment) -> None:
    """Trains along and ends the process if it is one of several and not the first, which alone watches and writes."""
    if not first_process(experiment.knobs.train):
        train(project, experiment)
        sys.exit()


def checkpoints(project: Project, experiment: Experiment) -> Checkpoints:
    """Where an unfinished training of exactly this experiment goes on."""
    return Checkpoints(paths.checkpoints() / f"{experiment.name}-{result_key(project, experiment)}")


def write_curves(curves: Sequence[Row], path: Path) -> None:
    """Writes a table with a row a logging step; steps are whole numbers."""
    columns = list(dict.fromkeys(["step", *(name for row in curves for name in row)]))
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        table.writerows({**row, "step": int(row["step"])} for row in curves)
