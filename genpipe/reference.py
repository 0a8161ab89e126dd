"""What scores need to know of a data set: extractors, and what each sees in the real images.

A folder for each extractor holds `train` and `test`, what it sees in these splits; `statistics`, what metrics make of
the first; `about.json`, what tells it from others; and `weights.safetensors`, if it was trained on the data set.
"""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from genpipe import evidence, paths, registry
from genpipe.config import Project
from genpipe.data._storage import SPLITS, Prepared
from genpipe.errors import CheckpointError, DataError
from genpipe.files import read_arrays, read_json, whole_folder, write_arrays, write_json
from genpipe.interfaces import Evidence, Extractor, ImageSpec, Real, Statistic, Trainable
from genpipe.modelfiles import accelerator, load_weights, save_weights
from genpipe.schema import Strict

ABOUT, WEIGHTS, STATISTICS = "about.json", "weights.safetensors", "statistics"


@dataclass(frozen=True)
class Reference:
    """The real images of a data set as one extractor sees them, and how to tell it from another."""

    name: str
    config: Strict
    prepared: Prepared
    folder: Path
    key: str
    described: Mapping[str, Any]

    @cached_property
    def extractor(self) -> Extractor:
        """The extractor, ready to look at further images. Raises CheckpointError, Unsuitable or WeightsMissing."""
        return _built(self.name, self.config, self.prepared.spec, self.folder)

    @cached_property
    def real(self) -> Real:
        """The real images, memory-mapped. Raises DataError if they are not there or damaged."""
        training, held_out = (self._split(split) for split in SPLITS)
        return Real(replace(training, kept=self._kept), held_out)

    def _split(self, split: str) -> Evidence:
        found = evidence.load(self.prepared.images(split), self.prepared.labels(split), self.folder / split)
        return replace(found, factors=self.prepared.factors(split), label_known=self.prepared.label_known(split))

    def _kept(self, name: str) -> Mapping[str, np.ndarray] | None:
        file = self.folder / STATISTICS / f"{name}.npz"
        return read_arrays(file) if file.exists() else None


def store_reference(
    name: str, config: Strict, extractor: Extractor, key: str, prepared: Prepared, folder: Path
) -> None:
    """Looks at all images with an extractor, and stores what it sees and what can be said of it."""
    shutil.rmtree(folder, ignore_errors=True)
    found: dict[str, Any] = {"extractor": name, **extractor.described()}
    for split in SPLITS:
        seen = extractor.extract(prepared.images(split))
        evidence.store(seen, folder / split, {"key": key})
    labels = prepared.labels("test")
    if isinstance(extractor, Trainable):
        save_weights(extractor, folder / WEIGHTS)
        if labels is not None and seen.probabilities is not None:
            right, known = seen.probabilities.argmax(1) == labels, np.isin(labels, prepared.spec.trained)
            if not known.any():
                raise DataError(f"{prepared.folder}: no held-out image is of a class that has training images.")
            found["extractor_accuracy"] = float(right[known].mean())
    about = {"key": key, "described": found, "config": config.model_dump(mode="json"), "images": asdict(prepared.spec)}
    write_json(folder / ABOUT, about)


def store_statistics(prepared: Prepared, folder: Path, key: str) -> None:
    """Makes and stores what metrics keep of the training images, unless it is there with the same key."""
    if stored_key(folder / STATISTICS) == key:
        return
    training = evidence.load(prepared.images("train"), prepared.labels("train"), folder / "train")
    with whole_folder(folder / STATISTICS) as temporary:
        for statistic in _statistics():
            if len(training.images) >= statistic.least_images:
                write_arrays(temporary / f"{statistic.name}.npz", **vars(statistic.of(training)))
        write_json(temporary / ABOUT, {"key": key})


def _statistics() -> set[Statistic[Any]]:
    metrics = [registry.load("metrics", name) for name in registry.names("metrics")]
    return {statistic for metric in metrics for statistic in metric.keeps}


def stored_key(folder: Path) -> str | None:
    """The key with which a reference, or its statistics, were stored; None if there are none that are whole."""
    return read_json(folder / ABOUT)["key"] if (folder / ABOUT).exists() else None


def load_extractor(folder: Path) -> tuple[Extractor, Mapping[str, Any]]:
    """An extractor that was stored with a reference, and what tells it from another. Raises CheckpointError."""
    try:
        about = read_json(folder / ABOUT)
        name, spec = about["described"]["extractor"], ImageSpec.from_json(about["images"])
        config = registry.load("extractors", name).Config(**about["config"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder} holds no extractor ({error}). Give a folder of runs/reference.") from None
    return _built(name, config, spec, folder), about["described"]


def load_references(project: Project, name: str) -> list[Reference]:
    """What was stored of a data set, an extractor after the other. Raises DataError if it is missing or damaged."""
    prepared = Prepared.open(project.root / paths.data(name))
    return [
        _reference(extractor, config, prepared, project.root / paths.reference(name) / extractor)
        for extractor, config in project.extractors(name).items()
    ]


def _built(name: str, config: Strict, spec: ImageSpec, folder: Path) -> Extractor:
    made = registry.load("extractors", name)(config, spec)
    if isinstance(made, Trainable):
        load_weights(made, folder / WEIGHTS)
        made.to(accelerator())
    return made


def _reference(name: str, config: Strict, prepared: Prepared, folder: Path) -> Reference:
    try:
        about = read_json(folder / ABOUT)
        return Reference(name, config, prepared, folder, about["key"], about["described"])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{folder} cannot be read ({error}). Delete it and run `dvc repro`.") from None
