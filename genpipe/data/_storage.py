"""A prepared data set on disk: a few large arrays, read through the memory map."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from genpipe.errors import DataError
from genpipe.files import read_json, write_json
from genpipe.interfaces import ImageSpec

SPLITS = ("train", "test")


def images_file(folder: Path, split: str) -> Path:
    """The images of a split, uint8 [n c h w]."""
    return folder / f"{split}_images.npy"


def labels_file(folder: Path, split: str) -> Path:
    """The labels of a split, int64 [n]; absent if there are none."""
    return folder / f"{split}_labels.npy"


def write_meta(folder: Path, spec: ImageSpec) -> None:
    """Notes what the images are, with a digest of all that was written so far."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.npy")):
        with file.open("rb") as content:
            digest.update(file.name.encode() + hashlib.file_digest(content, "sha256").digest())
    write_json(folder / "meta.json", {"images": asdict(spec), "sha256": digest.hexdigest()})


@dataclass(frozen=True)
class Prepared:
    """A prepared data set; arrays stay on disk until they are read."""

    folder: Path
    spec: ImageSpec
    sha256: str

    @classmethod
    def open(cls, folder: Path) -> "Prepared":
        """The data set in a folder. Raises DataError if it is not there or damaged."""
        try:
            meta = read_json(folder / "meta.json")
            return cls(folder, ImageSpec.from_json(meta["images"]), meta["sha256"])
        except FileNotFoundError:
            raise DataError(f"{folder} holds no prepared data set. Run `dvc repro` to prepare it.") from None
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"{folder}/meta.json is damaged ({error}). Delete {folder} and run `dvc repro`.") from None

    def images(self, split: str) -> np.ndarray:
        """The images of a split, uint8 [n c h w], memory-mapped. Raises DataError if they are damaged."""
        found = _array(images_file(self.folder, split))
        if found.dtype != np.uint8 or found.shape[1:] != self.spec.shape:
            raise DataError(
                f"{images_file(self.folder, split)} holds {found.dtype} {found.shape}, but uint8 (n, "
                f"{', '.join(map(str, self.spec.shape))}) is needed. Delete {self.folder} and run `dvc repro`."
            )
        return found

    def labels(self, split: str) -> np.ndarray | None:
        """The labels of a split, int64 [n], or None if it has none."""
        file = labels_file(self.folder, split)
        return _array(file) if file.exists() else None


def _array(file: Path) -> np.ndarray:
    try:
        return np.load(file, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{file} is missing. Delete {file.parent} and run `dvc repro`.") from None
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{file} is damaged ({error}). Delete {file.parent} and run `dvc repro`.") from None
