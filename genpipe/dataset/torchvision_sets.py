"""Data sets that torchvision downloads, with its checksums."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from genpipe import paths
from genpipe.dataset.picture_files import in_chunks
from genpipe.dataset.splitting import from_array
from genpipe.errors import DataError
from genpipe.files import DOWNLOAD_WAIT_SEC, locked
from genpipe.interfaces.sources import Chunk, Collection, Source
from genpipe.schema import Strict

Part = tuple[Callable[[np.ndarray], Iterator[Chunk]], np.ndarray | None, int]
"""A function that reads numbered images of a part, their labels, and their number."""


class Torchvision(Source):
    """A data set with official parts; it lies in GENPIPE_CACHE, or ~/.cache/genpipe."""

    wanted: ClassVar[Sequence[dict[str, Any]]] = ({"train": True}, {"train": False})
    """The arguments of torchvision for the training and the test part."""

    def __init__(self, config: Strict, root: Path) -> None:
        self.config = config

    @abstractmethod
    def part(self, dataset: Any) -> Part:
        """Returns torchvision's data set as images and labels."""

    @property
    def name(self) -> str:
        """The data set's class in torchvision.datasets."""
        return type(self).__name__

    def collection(self, seed: int) -> Collection:
        return joined([self.part(self.downloaded(**wanted)) for wanted in self.wanted])

    def downloaded(self, **wanted: Any) -> Any:
        """torchvision's data set, downloaded first if it is not there. Raises DataError with what to do by hand."""
        from torchvision import datasets

        kind, folder = getattr(datasets, self.name), paths.cache() / self.name.lower()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with locked(folder / ".lock", DOWNLOAD_WAIT_SEC, f"to download {self.name}"):
                return kind(folder, download=True, **wanted)
        except (OSError, RuntimeError, ValueError, EOFError, ImportError) as error:
            first = str(error).strip().split("\n")[0]
            raise DataError(
                f"{self.name} could not be downloaded, or what is there is damaged ({first}). torchvision gets "
                f"{_sources(kind)}. Where there is no way to it, put the files below {folder} as torchvision lays them "
                "out (set GENPIPE_CACHE for another folder), and run again."
            ) from None


def arrays(images: np.ndarray, labels: Any) -> Part:
    """Returns a part in memory: images [n h w c]."""
    return from_array(images), np.asarray(labels, np.int64), len(images)


def picture_files(files: Sequence[Path], labels: Sequence[int] | None) -> Part:
    """Returns a part in picture files."""
    return (
        lambda rows: in_chunks((files[row].name, files[row]) for row in rows),
        None if labels is None else np.asarray(labels, np.int64),
        len(files),
    )


def joined(parts: Sequence[Part]) -> Collection:
    """Returns one collection of a training and a test part."""
    counts = [count for _, _, count in parts]
    starts = np.concatenate([[0], np.cumsum(counts)])
    labels = [found for _, found, _ in parts if found is not None]

    def read(rows: np.ndarray) -> Iterator[Chunk]:
        for (part, _, _), first, end in zip(parts, starts[:-1], starts[1:], strict=True):
            yield from part(rows[(rows >= first) & (rows < end)] - first)

    return Collection(read, np.repeat(np.arange(len(parts)), counts), np.concatenate(labels) if labels else None)


def _sources(kind: Any) -> str:
    """The files of a data set and where torchvision looks for them, as far as it says so."""
    if hasattr(kind, "mirrors"):
        return f"{', '.join(name for name, _ in kind.resources)} from {' or '.join(kind.mirrors)}"
    if hasattr(kind, "split_list"):
        return " and ".join(kind.split_list[part][0] for part in ("train", "test"))
    if hasattr(kind, "file_list"):
        return f"{', '.join(file[2] for file in kind.file_list)} from Google Drive"
    if hasattr(kind, "_file_dict"):
        return f"{', '.join(file for file, _ in kind._file_dict.values())} from {kind._download_url_prefix}"
    return str(kind.url)
