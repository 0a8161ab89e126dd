"""Published weights: found on this machine or fetched once, and used only if they are what they claim to be."""

import hashlib
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from shutil import copyfileobj
from typing import Any
from urllib.request import urlopen

import torch

from genpipe import paths
from genpipe.errors import WeightsMissing
from genpipe.files import DOWNLOAD_WAIT_SEC, atomic_file, locked, opened

VARIABLE = "GENPIPE_WEIGHTS"
TIMEOUT_SEC = 10.0
"""Of silence, not of the whole download."""


@dataclass(frozen=True)
class Published:
    """A file of weights as its authors published it."""

    url: str
    sha256: str
    """Of the file; the first digits, where its authors published no more."""
    size_bytes: int | None = None

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.url.rpartition("/")[2]

    def __str__(self) -> str:
        size = f"{self.size_bytes:,} bytes, " if self.size_bytes else ""
        digits = "SHA-256" if len(self.sha256) == 64 else "SHA-256 begins with"
        return f"{self.name} ({size}{digits} {self.sha256})"


def tensors(wanted: Published) -> dict[str, Any]:
    """The tensors of a published file by name; nothing else that may be in it is loaded. Raises WeightsMissing."""
    found: dict[str, Any] = torch.load(located(wanted), map_location="cpu", weights_only=True)
    return found


def located(wanted: Published) -> Path:
    """The published file on this machine, checked; it is downloaded if it is nowhere. Raises WeightsMissing."""
    for path in _places(wanted):
        if path.is_file():
            _check(path, wanted, f"{path} is damaged or another file: put the right one there, or delete it.")
            return path
    return _downloaded(wanted)


def program(path: Path) -> torch.jit.ScriptModule:
    """The network in a TorchScript file. Raises RuntimeError if the file is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # recommends what cannot read such files
        return torch.jit.load(path, map_location="cpu")


def sha256(path: Path) -> str:
    """The SHA-256 of a file."""
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _places(wanted: Published) -> Iterator[Path]:
    """Where the file may be: what GENPIPE_WEIGHTS names, the cache, and where PyTorch's own downloads are."""
    if given := os.environ.get(VARIABLE):
        path = Path(given).expanduser()
        if not (path.is_file() or path.is_dir()):
            there = "what is there is neither a file nor a folder" if path.exists() else "nothing is there"
            raise WeightsMissing(f"{VARIABLE} is {given}, and {there}. Name the file {wanted}, or its folder.")
        yield path / wanted.name if path.is_dir() else path
    yield _cached(wanted)
    yield Path(torch.hub.get_dir()) / "checkpoints" / wanted.name


def _cached(wanted: Published) -> Path:
    return paths.cache() / "weights" / wanted.name


def _downloaded(wanted: Published) -> Path:
    path = _cached(wanted)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.with_name(f".{path.name}.lock"), DOWNLOAD_WAIT_SEC, f"to download {wanted}"):
            if not path.is_file():
                _download(wanted, path)
    except (OSError, HTTPException) as error:
        reason = str(error).removeprefix("<urlopen error ").removesuffix(">")
        raise WeightsMissing(
            f"published weights are missing and could not be downloaded ({reason}): {wanted} from {wanted.url}. Where "
            f"there is no way to it, put the file into {path.parent}, or set {VARIABLE} to the file or its folder. The "
            "extractors classifier (of data with labels) and pixels need no published weights."
        ) from None
    return path


def _download(wanted: Published, path: Path) -> None:
    print(f"downloading {wanted} from {wanted.url} into {path.parent}", file=sys.stderr)
    with atomic_file(path) as temporary:
        with urlopen(wanted.url, timeout=TIMEOUT_SEC) as answer, temporary.open("wb") as file:
            copyfileobj(answer, file)
        _check(temporary, wanted, f"what came from {wanted.url} is damaged or another file, and was not kept.")


def _check(path: Path, wanted: Published, complaint: str) -> None:
    found = sha256(path)
    if not found.startswith(wanted.sha256):
        has = f"it has {path.stat().st_size:,} bytes and the SHA-256 {found}"
        raise WeightsMissing(f"{complaint} Wanted is {wanted}; {has}.")
