"""What scores need to know of a data set: extractors, and what each sees in the real images.

A folder for each extractor holds `train` and `test`, what it sees in these splits; `about.json`, what tells it from
others; and `weights.safetensors`, if it was trained on the data set. What metrics make of the training images alone is
stored apart from that, by whoever asks first, so that a new metric makes no reference stale.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ConfigDict

from genpipe import evidence, fingerprints, paths, registry
from genpipe.config import Project
from genpipe.data._storage import SPLITS, Prepared
from genpipe.errors import CheckpointError, ConfigError, DataError, GenpipeError
from genpipe.files import read_arrays, read_json, write_arrays, write_json
from genpipe.interfaces import Arrays, Evidence, Extractor, ImageSpec, Real, Statistic, Trainable
from genpipe.modelfiles import accelerator, built, save_weights
from genpipe.schema import Strict
from genpipe.validation import described, validated

ABOUT, WEIGHTS = "about.json", "weights.safetensors"


@dataclass(frozen=True)
class Reference:
    """The real images of a data set as one extractor sees them, and how to tell it from another."""

    root: Path
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

    def _kept(self, statistic: Statistic[Any], make: Callable[[], Arrays]) -> Arrays:
        code = fingerprints.digest(fingerprints.of_modules(self.root, [statistic.made.__module__]))
        file = paths.statistic(self.root, statistic.name, evidence.key_of(self.key, code))
        if not file.exists():
            write_arrays(file, **make())
        return read_arrays(file)


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


def stored_key(folder: Path) -> str | None:
    """The key with which a reference was stored; None if there is none that is whole."""
    try:
        said = read_json(folder / ABOUT)
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return said.get("key") if isinstance(said, dict) else None


def load_extractor(folder: Path | str) -> tuple[Extractor, Mapping[str, Any]]:
    """An extractor that was stored with a reference, and what tells it from another.

    Raises CheckpointError, Unsuitable or WeightsMissing.
    """
    folder = Path(folder)
    try:
        about, document = described(_About, folder / ABOUT)
        name = validated(_Named, about.described, ("described",), document).extractor
        spec = ImageSpec.from_json(document)
        config = validated(registry.load("extractors", name).Config, about.config, ("config",), document)
    except (OSError, GenpipeError) as error:
        raise CheckpointError(f"{folder} holds no extractor ({error}) Give a folder of runs/reference.") from None
    return _built(name, config, spec, folder), about.described


class _About(Strict):
    """What about.json says of an extractor."""

    key: str
    described: dict[str, Any]
    config: dict[str, Any]
    images: dict[str, Any]


class _Named(Strict):
    """What tells an extractor from others begins with its name."""

    model_config = ConfigDict(extra="ignore")
    extractor: str


def load_references(project: Project, name: str) -> list[Reference]:
    """What was stored of a data set, an extractor after the other. Raises DataError if it is missing or damaged."""
    prepared = Prepared.open(project.root / paths.data(name))
    return [
        _reference(project.root, extractor, config, prepared, project.root / paths.reference(name) / extractor)
        for extractor, config in project.extractors(name).items()
    ]


def _built(name: str, config: Strict, spec: ImageSpec, folder: Path) -> Extractor:
    kind = registry.load("extractors", name)
    if not issubclass(kind, Trainable):
        return kind(config, spec)
    return built(kind, config, spec, folder / WEIGHTS).to(accelerator())


def _reference(root: Path, name: str, config: Strict, prepared: Prepared, folder: Path) -> Reference:
    try:
        about, _ = described(_About, folder / ABOUT)
        return Reference(root, name, config, prepared, folder, about.key, about.described)
    except (OSError, ConfigError) as error:
        raise DataError(f"{folder} cannot be read ({error}). Delete it and run `dvc repro`.") from None
