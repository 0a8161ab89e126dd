"""A prepared data set on disk: a few large arrays, read through the memory map."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from genpipe.config.data_spec import spec_from_json, spec_to_json
from genpipe.config.derivations import field_name
from genpipe.config.validation import described
from genpipe.errors import ConfigError, DataError, nearest
from genpipe.files import write_json
from genpipe.interfaces.sources import KNOWN_LABEL, SPLITS
from genpipe.interfaces.spec import DataSpec
from genpipe.schema import Strict

__all__ = ["SPLITS", "ArrayFile", "Prepared", "field_file", "images_file", "labels_file", "write_meta"]

_NAMED = 1000
"""The number of broken pictures to record by name."""


def images_file(folder: Path, split: str) -> Path:
    """Returns the file of a split's images, uint8 [n c h w]."""
    return folder / f"{split}_images.npy"


def labels_file(folder: Path, split: str) -> Path:
    """Returns the file of a split's labels, int64 [n]; absent if there are none."""
    return folder / f"{split}_labels.npy"


def field_file(folder: Path, split: str, name: str) -> Path:
    """Returns the file of a field of a split, a row per image."""
    return folder / f"{split}_extra_{name}.npy"


class ArrayFile:
    """A .npy file that grows by chunks, so that only one chunk is in memory; its length is written last."""

    def __init__(self, path: Path) -> None:
        self.path, self.count = path, 0
        self._file = path.open("wb")
        self._row: tuple[np.dtype, tuple[int, ...]] | None = None

    def append(self, rows: np.ndarray) -> None:
        """Adds rows of the same type and shape as those before. Raises DataError if they are not."""
        row = rows.dtype, rows.shape[1:]
        if self._row is None:
            self._row = row
            self._write_header()
        if row != self._row:
            raise DataError(f"{self.path.name}: {row[0]} {row[1]} came after {self._row[0]} {self._row[1]}.")
        self._file.write(rows.tobytes())
        self.count += len(rows)

    def close(self) -> None:
        """Writes how many rows there are."""
        if self._row:
            self._file.seek(0)
            self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        """The header is as long for any number of rows."""
        assert self._row
        dtype, shape = self._row
        described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False}
        np.lib.format.write_array_header_1_0(self._file, {**described, "shape": (self.count, *shape)})


def write_meta(
    folder: Path,
    spec: DataSpec,
    *,
    horizontal_flip: bool = False,
    broken: Sequence[str] = (),
    unused_images: Mapping[str, int] = MappingProxyType({}),
    random_fields: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> None:
    """Writes the description of the images and their use in training, with a digest of all files so far."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.npy")):
        with file.open("rb") as content:
            digest.update(file.name.encode() + hashlib.file_digest(content, "sha256").digest())
    if horizontal_flip:
        digest.update(b"flip")
    if random_fields:
        digest.update(json.dumps(random_fields, sort_keys=True).encode())
    noted: dict[str, Any] = {"data_spec": spec_to_json(spec), "sha256": digest.hexdigest()}
    noted |= {"horizontal_flip": True} if horizontal_flip else {}
    noted |= {"broken_images": len(broken), "broken": list(broken[:_NAMED])} if broken else {}
    noted |= {"unused_images": dict(unused_images)} if unused_images else {}
    noted |= {"random_fields": dict(random_fields)} if random_fields else {}
    write_json(folder / "meta.json", noted)


class _Meta(Strict):
    """What meta.json says."""

    data_spec: dict[str, Any]
    sha256: str
    horizontal_flip: bool = False
    broken_images: int = Field(default=0, ge=0)
    broken: list[str] = []
    unused_images: dict[str, Annotated[int, Field(ge=0)]] = {}
    random_fields: dict[str, dict[str, Any]] = {}


@dataclass(frozen=True)
class Prepared:
    """A prepared data set; arrays stay on disk until they are read."""

    folder: Path
    spec: DataSpec
    sha256: str
    horizontal_flip: bool = False
    """Whether to mirror half of the training images, at random in every batch."""
    broken_images: int = 0
    """The number of unreadable pictures that were left out."""
    unused_images: Mapping[str, int] = field(default_factory=dict)
    """The number of images in each split that is neither training nor test."""
    random_fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The knobs of each derivation whose rows are drawn anew for each training batch, by its name."""

    @classmethod
    def open(cls, folder: Path | str) -> "Prepared":
        """Opens the data set in a folder. Raises DataError if it is missing or damaged."""
        folder = Path(folder)
        try:
            meta, document = described(_Meta, folder / "meta.json")
            spec = spec_from_json(document)
            told = meta.horizontal_flip, meta.broken_images, meta.unused_images, meta.random_fields
            return cls(folder, spec, meta.sha256, *told)
        except FileNotFoundError:
            raise DataError(f"{folder} holds no prepared data set. Run `dvc repro` to prepare it.") from None
        except ConfigError as error:
            raise DataError(f"{error} Delete {folder} and run `dvc repro`.") from None

    def counts(self) -> dict[str, Any]:
        """Returns the numbers of images in each split, of broken ones, and of those left out."""
        of_splits = {f"{split}_images": len(self.images(split)) for split in SPLITS}
        return {**of_splits, "broken_images": self.broken_images, "unused_images": dict(self.unused_images)}

    def images(self, split: str) -> np.ndarray:
        """Returns the images of a split, uint8 [n c h w], memory-mapped. Raises DataError if they are damaged."""
        found = _array(images_file(self.folder, split))
        if found.dtype != np.uint8 or found.shape[1:] != self.spec.shape:
            raise DataError(
                f"{images_file(self.folder, split)} holds {found.dtype} {found.shape}, but uint8 (n, "
                f"{', '.join(map(str, self.spec.shape))}) is needed. Delete {self.folder} and run `dvc repro`."
            )
        return found

    def labels(self, split: str) -> np.ndarray | None:
        """Returns the labels of a split, int64 [n], or None if it has none."""
        file = labels_file(self.folder, split)
        return _array(file) if file.exists() else None

    def label_known(self, split: str) -> np.ndarray | None:
        """Returns which labels a model that learns from few labels may use, bool [n]; None: all."""
        file = field_file(self.folder, split, KNOWN_LABEL)
        return np.any(_array(file), axis=1) if file.exists() else None

    def factors(self, split: str) -> dict[str, np.ndarray]:
        """Returns the factors of images by name, memory-mapped: all fields with one class or number per image."""
        return {name: self.field(split, name) for name in sorted(self.spec.factors)}

    def field(self, split: str, name: str) -> np.ndarray:
        """Returns a field [n, *shape] as it is stored, memory-mapped.

        Raises DataError if the data set does not have it or draws it anew, or if its rows are not those of the images.
        """
        if name not in self.spec.fields:
            raise DataError(f"{self.folder} knows no '{name}' of its images.{nearest(name, self.spec.fields)}")
        if split == "train" and name in map(field_name, self.random_fields):
            raise DataError(f"'{name}' is drawn anew for each batch, so training images have none that stays.")
        file = field_file(self.folder, split, name)
        found, needed = _array(file), (len(self.images(split)), *self.spec.fields[name].shape)
        if found.shape != needed:
            remedy = f"Delete {self.folder} and run `dvc repro`."
            raise DataError(f"{file} holds {found.shape}, but {needed} is needed. {remedy}")
        return found


def _array(file: Path) -> np.ndarray:
    try:
        return np.load(file, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{file} is missing. Delete {file.parent} and run `dvc repro`.") from None
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{file} is damaged ({error}). Delete {file.parent} and run `dvc repro`.") from None
