"""Features of a set of images, cached on disk so that they are extracted once."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from genpipe.errors import DataError
from genpipe.files import atomic_directory, read_json, write_json
from genpipe.interfaces.extractors import Extractor, FeatureSet


def key_of(*parts: Any) -> str:
    """Returns a short hash of everything that decides the features: JSON values and arrays."""
    hashed = hashlib.sha256()
    for part in parts:
        array = isinstance(part, np.ndarray)
        hashed.update(np.ascontiguousarray(part).data if array else json.dumps(part, sort_keys=True).encode())
    return hashed.hexdigest()[:16]


def extract_cached(
    images: UInt8[np.ndarray, "n c h w"],
    labels: Int[np.ndarray, "n"] | None,
    folder: Path,
    key: str,
    extractor: Callable[[], Extractor],
) -> FeatureSet:
    """Returns the features of images: from the folder if its key is the same, else computed and stored there."""
    if not holds(folder, key):
        store(extractor().extract(images), folder, {"key": key})
    return load(images, labels, folder)


def holds(folder: Path, key: str) -> bool:
    """Returns whether a folder has features with this key."""
    file = folder / "about.json"
    return file.exists() and about(folder).get("key") == key


def store(evidence: FeatureSet, folder: Path, described: dict[str, Any]) -> None:
    """Replaces the folder's content by features, probabilities and facts about them."""
    with atomic_directory(folder) as temporary:
        np.save(temporary / "features.npy", evidence.features)
        if evidence.probabilities is not None:
            np.save(temporary / "probabilities.npy", evidence.probabilities)
        write_json(temporary / "about.json", described)


def about(folder: Path) -> dict[str, Any]:
    """Returns the facts about the features in a folder. Raises DataError if it is missing or damaged."""
    try:
        said = read_json(folder / "about.json")
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(folder, error) from None
    if not isinstance(said, dict):
        raise _damaged(folder, f"about.json is no mapping but {type(said).__name__}")
    return said


def load(images: UInt8[np.ndarray, "n c h w"], labels: Int[np.ndarray, "n"] | None, folder: Path) -> FeatureSet:
    """Returns the features of these images in a folder, memory-mapped. Raises DataError if missing or damaged."""
    try:
        features = np.load(folder / "features.npy", mmap_mode="r", allow_pickle=False)
        file = folder / "probabilities.npy"
        probabilities = np.load(file, mmap_mode="r", allow_pickle=False) if file.exists() else None
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(folder, error) from None
    if len(features) != len(images):
        raise _damaged(folder, f"it has {len(features)} rows for {len(images)} images")
    return FeatureSet(images, features, probabilities, labels)


def _damaged(folder: Path, why: object) -> DataError:
    return DataError(f"{folder} cannot be read ({why}). Delete it and run `dvc repro`.")
