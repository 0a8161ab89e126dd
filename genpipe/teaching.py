"""Extractors of a data set: trained where they are to be, and shown all real images, each once."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genpipe import evidence, fingerprints, paths, registry
from genpipe.config import Project
from genpipe.config import Reference as KnobsOfReference
from genpipe.data._batches import Batches
from genpipe.data._storage import Prepared
from genpipe.interfaces import Extractor, ImageSpec, Trainable
from genpipe.reference import load_references, store_reference, stored_key
from genpipe.schema import Strict
from genpipe.training.moments import Moment

Watchers = Sequence[Callable[[Moment], None]]


def make_references(
    project: Project, name: str, watchers: Watchers = (), verify: Callable[[], object] = lambda: None
) -> Mapping[str, Any]:
    """Makes what scores need to know of a data set; what is there already and would come out the same is kept.

    Gives the accuracy on held-out images, from 0 to 1, of every extractor that was trained on them. `verify` is called
    once the code is imported and the keys of what is stored are made of it.
    """
    prepared, folder = Prepared.open(project.root / paths.data(name)), project.root / paths.reference(name)
    wanted = project.extractors(name)
    codes = {extractor: _code(project, extractor) for extractor in wanted}
    verify()
    for extractor, config in wanted.items():
        code = codes[extractor]
        _make(project, _knobs(project, name), extractor, config, prepared, folder / extractor, code, watchers)
    for other in set(folder.iterdir()) - {folder / extractor for extractor in wanted}:
        shutil.rmtree(other)
    described = {reference.name: reference.described for reference in load_references(project, name)}
    return {f"{k}_accuracy": d["extractor_accuracy"] for k, d in described.items() if "extractor_accuracy" in d}


def teacher(project: Project, name: str) -> Callable[[np.ndarray, np.ndarray, int], Extractor] | None:
    """Trains a new extractor like the one that `reference` trains, on other images; None if it trains none."""
    spec, knobs = Prepared.open(project.root / paths.data(name)).spec, _knobs(project, name)
    for extractor, config in project.extractors(name).items():
        if issubclass(registry.load("extractors", extractor), Trainable):
            return lambda images, labels, number: _trained(knobs, extractor, config, spec, images, labels, number)
    return None


def _knobs(project: Project, data: str) -> KnobsOfReference:
    """How extractors are trained on a data set."""
    knobs, steps = project.index.reference, project.data(data).common.extractor_steps
    return (
        knobs if steps is None else knobs.model_copy(update={"train": knobs.train.model_copy(update={"steps": steps})})
    )


def _make(
    project: Project,
    reference: KnobsOfReference,
    name: str,
    config: Strict,
    prepared: Prepared,
    folder: Path,
    code: str,
    watchers: Watchers,
) -> None:
    trained = issubclass(registry.load("extractors", name), Trainable)
    extractor = None if trained else registry.load("extractors", name)(config, prepared.spec)
    knobs = reference.model_dump(mode="json", include={"optim", "train"})
    decides = [knobs, project.index.seed] if extractor is None else extractor.described()
    key = evidence.key_of(name, config.model_dump(mode="json"), prepared.sha256, code, decides)
    if stored_key(folder) != key:
        if extractor is None:
            images, labels = prepared.images("train"), prepared.labels("train")
            number, spec = project.index.seed, prepared.spec
            extractor = _trained(reference, name, config, spec, images, labels, number, prepared.flip, watchers)
        store_reference(name, config, extractor, key, prepared, folder)


def _code(project: Project, extractor: str) -> str:
    """A hash of the code that decides what an extractor sees."""
    modules = [__name__, *registry.used().modules("extractors", extractor)]
    return fingerprints.digest(fingerprints.of_modules(project.root, modules))


def _trained(
    knobs: KnobsOfReference,
    name: str,
    config: Strict,
    spec: ImageSpec,
    images: np.ndarray,
    labels: np.ndarray | None,
    number: int,
    flip: bool = False,
    watchers: Watchers = (),
) -> Any:
    from genpipe.training.devices import fabric  # takes seconds, and most who score teach nothing
    from genpipe.training.loop import fit, seed
    from genpipe.training.memory import memory_in_words

    seed(number)
    extractor = registry.load("extractors", name)(config, spec)
    device = fabric(knobs.train.precision)
    batches = Batches(images, labels, size=knobs.train.batch_size, seed=number, device=device.device, flip=flip)
    optim = {phase.name: knobs.optim[phase.name] for phase in extractor.phases()}
    remedy = "Lower reference.train.batch_size in params.yaml."
    with memory_in_words(f"training the extractor '{name}'", knobs.train.batch_size, device.device, remedy):
        fit(extractor, batches, knobs.train, optim, device=device, watchers=watchers)
    return extractor
