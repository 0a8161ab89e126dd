"""Training of the in-domain classifier, once for each data set."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from genpipe import paths, registry
from genpipe.config import Project
from genpipe.data._storage import Prepared
from genpipe.reference import EXTRACTOR, store_reference
from genpipe.training.devices import devices, shared_batches
from genpipe.training.loop import fit, seed
from genpipe.training.moments import Moment


def make_reference(project: Project, name: str, watchers: Sequence[Callable[[Moment], None]] = ()) -> Mapping[str, Any]:
    """Trains the classifier of a data set and stores it with what it sees in the real images.

    Gives what is to be said of it: its accuracy on held-out images, from 0 to 1, its SHA-256 and its speed. Of several
    processes the first alone watches and stores; the others end after the training.
    """
    prepared, knobs = Prepared.open(project.root / paths.data(name)), project.index.reference
    seed(project.index.seed)
    classifier = registry.load("extractors", EXTRACTOR)(project.classifier(), prepared.spec)
    device = devices(knobs.train)
    batches = shared_batches(prepared, knobs.train, project.index.seed, device)
    watching = watchers if device.is_global_zero else ()
    outcome = fit(classifier, batches, knobs.train, knobs.optim, device=device, watchers=watching)
    if not device.is_global_zero:
        sys.exit()
    described = store_reference(classifier, prepared, project.root / paths.reference(name))
    return {
        **described,
        "steps": knobs.train.steps,
        "images_per_sec": outcome.images_per_sec,
        "data_wait_share": outcome.data_wait_share,
        "device": str(device.device),
    }
