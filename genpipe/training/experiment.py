"""Training of one experiment: from its YAML to a finished model and its curves."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from lightning_fabric import Fabric

from genpipe import paths, registry
from genpipe.artifacts.models import save_model
from genpipe.artifacts.prerequisites import provide
from genpipe.config.project import Experiment, Project, load_project
from genpipe.dataset.storage import Prepared
from genpipe.provenance import result_key
from genpipe.sampling.conditions import held_out_conditions
from genpipe.training.callbacks import Outcome, StepInfo
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.curves import write_curves
from genpipe.training.devices import devices, first_process, shared_batches, verify_alike
from genpipe.training.loop import Stopping, fit, seed
from genpipe.training.memory import memory_in_words
from genpipe.training.snapshots import Snapshots


def train(
    project: Project,
    experiment: Experiment,
    callbacks: Sequence[Callable[[StepInfo], None]] = (),
    stopping: Stopping | None = None,
    kept: Checkpoints | None = None,
) -> Mapping[str, Any]:
    """Trains an experiment, or resumes its training; writes the model and the curves.

    The checkpoints stay until whoever called this has made sure of its results; who gives them has made sure that the
    code that runs is that of their key. Gives what is to be said of the training: steps, images/s, waiting for data,
    devices, parameters. Of several processes the first writes. Raises Stopped, OutOfMemory, NonFiniteLoss.
    """
    prepared, knobs = Prepared.open(project.root / paths.data(experiment.data.name)), experiment.knobs
    seed(knobs.seed)
    model = registry.load("models", experiment.model_name)(experiment.model, prepared.spec)
    device, kept = devices(knobs.train), kept or checkpoints(project, experiment)
    verify_alike(device, kept.folder.name)
    provide(project, experiment, model, device.device)
    batches = shared_batches(prepared, model, knobs.train, knobs.seed, device)
    conditions = held_out_conditions(model, prepared, knobs.train.score_images)
    snapshots = Snapshots(kept.folder / "snapshots", knobs.train, knobs.seed, conditions)
    with memory_of(experiment, device.device):
        outcome = fit(
            model, batches, knobs.train, knobs.optim,
            device=device, checkpoints=kept, callbacks=callbacks, stopping=stopping,
            sample_hook=snapshots.hook,
        )  # fmt: skip
    if device.is_global_zero:
        folder = project.root / paths.model(experiment.name)
        save_model(model, experiment.model_name, experiment.model, prepared.spec, folder)
        write_curves(outcome.curves, project.root / paths.curves(experiment.name))
        snapshots.collect(project.root / paths.snapshots(experiment.name))
    return _facts(outcome, sum(p.numel() for p in model.parameters()), knobs.train.steps, device)


def _facts(outcome: Outcome, parameters: int, steps: int, device: Fabric) -> Mapping[str, Any]:
    return {
        "steps": steps,
        "resumed_from_step": outcome.resumed_from_step,
        "images_per_sec": outcome.images_per_sec,
        "data_wait_share": outcome.data_wait_share,
        "parameters": parameters,
        "device": str(device.device),
        "devices": device.world_size,
        "precision": device._precision.precision,
    }


def run_worker(project: Project, experiment: Experiment, stopping: Stopping, kept: Checkpoints) -> None:
    """Trains and ends the process if it is not the first of several; only the first reports and writes."""
    if not first_process(experiment.knobs.train):
        train(project, experiment, stopping=stopping, kept=kept)
        sys.exit()


def checkpoints(project: Project, experiment: Experiment, verify: Callable[[], object] = lambda: None) -> Checkpoints:
    """Returns the checkpoints from which an unfinished training of exactly this experiment resumes."""
    return Checkpoints(paths.checkpoints() / f"{experiment.name}-{result_key(project, experiment)}", verify)


def clear_checkpoints(name: str) -> None:
    """Removes the checkpoints of an experiment in this folder's project after its results are saved."""
    project = load_project()
    checkpoints(project, project.experiment(name)).clear()


def memory_of(experiment: Experiment, device: torch.device) -> AbstractContextManager[None]:
    """Explains the error if the batches of an experiment do not fit in memory."""
    name, images = experiment.name, experiment.knobs.train.batch_size
    remedy = f"Lower train.batch_size; `genpipe train {name} --find-batch` finds the largest that fits."
    return memory_in_words(f"training '{name}'", images, device, remedy)
