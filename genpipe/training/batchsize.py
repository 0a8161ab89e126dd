"""The largest batch that fits into the memory of a GPU, found by trying."""

import gc
from collections.abc import Callable
from dataclasses import replace
from math import ceil

import torch

from genpipe import paths, registry
from genpipe.artifacts.prerequisites import provide
from genpipe.config.project import Experiment, Project
from genpipe.dataset.batches import BatchLoader
from genpipe.dataset.storage import Prepared
from genpipe.errors import OutOfMemory
from genpipe.interfaces.phases import Phase
from genpipe.training.devices import fabric
from genpipe.training.experiment import memory_of
from genpipe.training.loop import fit, seed


def largest(fits: Callable[[int], bool], first: int, most: int) -> int:
    """Returns the largest number from 1 to `most` that fits, or 0; assumes that smaller numbers fit, too.

    Begins with `first`, doubles or halves it until that is between what fits and what does not, and then bisects.
    """
    low, high, tried = 0, most + 1, min(first, most)
    while high - low > 1:
        if fits(tried):
            low = tried
        else:
            high = tried
        if not low:
            tried = high // 2
        elif high > most:
            tried = min(2 * low, most)
        else:
            tried = (low + high) // 2
    return low


def with_batch(experiment: Experiment, size: int) -> Experiment:
    """Returns the experiment with another batch size."""
    train = experiment.knobs.train.model_copy(update={"batch_size": size})
    return replace(experiment, knobs=experiment.knobs.model_copy(update={"train": train}))


def fits_here(project: Project, experiment: Experiment) -> bool:
    """Returns whether memory suffices for enough training steps to run every phase once."""
    try:
        _tried(project, experiment)
    except OutOfMemory:
        return False
    finally:
        gc.collect()
        torch.cuda.empty_cache()
    return True


def _tried(project: Project, experiment: Experiment) -> None:
    prepared, knobs = Prepared.open(project.root / paths.data(experiment.data.name)), experiment.knobs
    seed(knobs.seed)
    model = registry.load("models", experiment.model_name)(experiment.model, prepared.spec)
    device = fabric(knobs.train.precision)
    provide(project, experiment, model, device.device)
    steps = max(_until_a_turn(phase) for phase in model.phases())
    train = knobs.train.model_copy(update={"steps": steps, "on_nan": "skip"})
    with memory_of(experiment, device.device):
        batches = BatchLoader.of(prepared, size=train.batch_size, seed=knobs.seed, device=device.device)
        fit(model, batches, train, knobs.optim, device=device)


def _until_a_turn(phase: Phase) -> int:
    """So many steps of a training that the phase surely has a turn in them; 0 if it never has one."""
    begin, end = phase.during
    return ceil((phase.every + (end - begin < 1)) / (end - begin)) if end > begin else 0
