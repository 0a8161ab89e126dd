"""References of a data set for scores: extractors, and their features of the real images.

A folder for each extractor holds `train` and `test`, what it sees in these splits; `about.json`, what tells it from
others; and `weights.safetensors`, if it was trained on the data set. What metrics make of the training images alone is
stored apart from that, by whoever asks first, so that a new metric makes no reference stale.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from genpipe import fingerprints, paths
from genpipe.artifacts.extractors import ABOUT, WEIGHTS, About, built_extractor
from genpipe.artifacts.models import save_weights
from genpipe.config.data_spec import spec_to_json
from genpipe.config.project import Project
from genpipe.config.validation import described
from genpipe.dataset.storage import Prepared
from genpipe.errors import ConfigError, DataError
from genpipe.evaluation import features
from genpipe.files import read_arrays, read_json, write_arrays, write_json
from genpipe.interfaces.extractors import Arrays, Extractor, FeatureSet, Real, Statistic
from genpipe.interfaces.phases import Trainable
from genpipe.interfaces.sources import SPLITS
from genpipe.schema import Strict


@dataclass(frozen=True)
class Reference:
    """One extractor's features of a data set's real images, and the facts that identify the extractor."""

    root: Path
    name: str
    config: Strict
    prepared: Prepared
    folder: Path
    key: str
    described: Mapping[str, Any]

    @cached_property
    def extractor(self) -> Extractor:
        """The extractor, ready for further images. Raises CheckpointError, Unsuitable or WeightsMissing."""
        return built_extractor(self.name, self.config, self.prepared.spec, self.folder)

    @cached_property
    def real(self) -> Real:
        """The real images, memory-mapped. Raises DataError if they are missing or damaged."""
        training, held_out = (self._split(split) for split in SPLITS)
        return Real(replace(training, stored_statistics=self._kept), held_out)

    def _split(self, split: str) -> FeatureSet:
        found = features.load(self.prepared.images(split), self.prepared.labels(split), self.folder / split)
        return replace(found, factors=self.prepared.factors(split), label_known=self.prepared.label_known(split))

    def _kept(self, statistic: Statistic[Any], make: Callable[[], Arrays]) -> Arrays:
        code = fingerprints.digest(fingerprints.of_modules(self.root, [statistic.made.__module__]))
        file = paths.statistic(self.root, statistic.name, features.key_of(self.key, code))
        if not file.exists():
            write_arrays(file, **make())
        return read_arrays(file)


def store_reference(
    name: str, config: Strict, extractor: Extractor, key: str, prepared: Prepared, folder: Path
) -> None:
    """Extracts the features of all images, and stores them with facts about the extractor."""
    shutil.rmtree(folder, ignore_errors=True)
    found: dict[str, Any] = {"extractor": name, **extractor.described()}
    for split in SPLITS:
        seen = extractor.extract(prepared.images(split))
        features.store(seen, folder / split, {"key": key})
    labels = prepared.labels("test")
    if isinstance(extractor, Trainable):
        save_weights(extractor, folder / WEIGHTS)
        if labels is not None and seen.probabilities is not None:
            right, known = seen.probabilities.argmax(1) == labels, np.isin(labels, prepared.spec.trained)
            if not known.any():
                raise DataError(f"{prepared.folder}: no held-out image is of a class that has training images.")
            found["extractor_accuracy"] = float(right[known].mean())
    about = {
        "key": key,
        "described": found,
        "config": config.model_dump(mode="json"),
        "data_spec": spec_to_json(prepared.spec),
    }
    write_json(folder / ABOUT, about)


def stored_key(folder: Path) -> str | None:
    """Returns the key of a stored reference; None if it is missing or incomplete."""
    try:
        said = read_json(folder / ABOUT)
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return said.get("key") if isinstance(said, dict) else None


def load_references(project: Project, name: str) -> list[Reference]:
    """Returns the references of a data set, one per extractor. Raises DataError if they are missing or damaged."""
    prepared = Prepared.open(project.root / paths.data(name))
    return [
        _reference(project.root, extractor, config, prepared, project.root / paths.reference(name) / extractor)
        for extractor, config in project.extractors(name).items()
    ]


def _reference(root: Path, name: str, config: Strict, prepared: Prepared, folder: Path) -> Reference:
    try:
        about, _ = described(About, folder / ABOUT)
        return Reference(root, name, config, prepared, folder, about.key, about.described)
    except (OSError, ConfigError) as error:
        raise DataError(f"{folder} cannot be read ({error}). Delete it and run `dvc repro`.") from None
