"""What scores need to know of a data set: the in-domain classifier and what it sees in the real images."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genpipe import paths, registry
from genpipe.config import Project
from genpipe.data._storage import SPLITS, Prepared
from genpipe.errors import DataError
from genpipe.files import read_arrays, read_json, whole_folder, write_arrays, write_json
from genpipe.interfaces import Evidence, Extractor, Real
from genpipe.modelfiles import accelerator, load_weights, save_weights

EXTRACTOR = "classifier"


@dataclass(frozen=True)
class Reference:
    """The real images of a data set as an extractor sees them, the extractor, and how to tell it from another."""

    extractor: Extractor
    real: Real
    described: Mapping[str, Any]


def store_reference(classifier: Any, prepared: Prepared, folder: Path) -> Mapping[str, Any]:
    """Looks at all images with a trained classifier, and stores both.

    Gives what tells it from another: its SHA-256, and its accuracy on held-out images, from 0 to 1.
    """
    with whole_folder(folder) as temporary:
        save_weights(classifier, temporary / "classifier.safetensors")
        for split in SPLITS:
            seen = classifier.extract(prepared.images(split))
            write_arrays(temporary / f"{split}.npz", features=seen.features, probabilities=seen.probabilities)
        accuracy = float(np.mean(seen.probabilities.argmax(1) == prepared.labels("test")))
        digest = hashlib.sha256((temporary / "classifier.safetensors").read_bytes()).hexdigest()
        described = {"extractor": EXTRACTOR, "extractor_sha256": digest, "extractor_accuracy": accuracy}
        write_json(temporary / "reference.json", described)
    return described


def load_reference(project: Project, name: str) -> Reference:
    """What `store_reference` stored of a data set. Raises DataError if it is missing or damaged."""
    folder, prepared = project.root / paths.reference(name), Prepared.open(project.root / paths.data(name))
    try:
        described = read_json(folder / "reference.json")
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} cannot be read ({error}). Delete it and run `dvc repro`.") from None
    training, held_out = (_evidence(folder, prepared, split) for split in SPLITS)
    classifier = registry.load("extractors", EXTRACTOR)(project.classifier(), prepared.spec)
    load_weights(classifier, folder / "classifier.safetensors")
    return Reference(classifier.to(accelerator()), Real(training, held_out), described)


def _evidence(folder: Path, prepared: Prepared, split: str) -> Evidence:
    return Evidence(prepared.images(split), *read_arrays(folder / f"{split}.npz", "features", "probabilities"))
