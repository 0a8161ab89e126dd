"""Checkpoints: written whole or not at all, verified by a checksum, loaded without running code."""

import hashlib
import random
import shutil
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric.utilities.seed import seed_everything

from genpipe.files import settle


class Checkpoints:
    """The newest two states of an unfinished training, in a folder of its own.

    The folder's name must be a key of everything that decides the result, so that a changed experiment starts afresh.
    A file is called step-<step>-<first digits of its SHA-256>.pt. No more than one training may use the folder at once.
    """

    KEEP = 2
    UNFINISHED = ".unfinished.tmp"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, step: int, state: dict[str, Any]) -> Path:
        """Writes the state after a step and drops all but the newest two."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / self.UNFINISHED
        try:
            with temporary.open("wb") as file:  # given a path alone, PyTorch hides that a disk is full
                torch.save(state, file)
            path = self.folder / f"step-{step:09d}-{_digest(temporary)}.pt"
            settle(temporary, path)
        except OSError as error:
            error.filename = error.filename or str(self.folder)
            raise
        finally:
            temporary.unlink(missing_ok=True)
        for old in self.files()[self.KEEP :]:
            old.unlink()
        return path

    def newest(self) -> dict[str, Any] | None:
        """The newest state that is whole, or None; a damaged file is named in a warning and passed over.

        Also clears away what a training left that was killed while it wrote.
        """
        (self.folder / self.UNFINISHED).unlink(missing_ok=True)
        for path in self.files():
            if _digest(path) == path.stem.rpartition("-")[2]:
                return torch.load(path, map_location="cpu", weights_only=True)
            warnings.warn(f"the checkpoint {path} is damaged; the one before it is used.", stacklevel=2)
        return None

    def files(self) -> list[Path]:
        """The checkpoints, newest first."""
        return sorted(self.folder.glob("step-*.pt"), reverse=True)

    def clear(self) -> None:
        """Removes them all: the training is finished."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def fresh_random_states(seed: int, *numbers: int) -> None:
    """Seeds every random generator from a seed and numbers, unlike from the seed alone."""
    seed_everything(int(np.random.SeedSequence((seed, *numbers)).generate_state(1)[0]), verbose=False)


def random_states() -> dict[str, Any]:
    """The states of every random generator, in types that load without running code."""
    name, keys, *rest = cast(tuple[str, np.ndarray, int, int, float], np.random.get_state(legacy=True))
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": (name, torch.from_numpy(keys.astype(np.int64)), *rest),
        "python": random.getstate(),
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Puts every random generator back to where `random_states` saw it."""
    name, keys, *rest = states["numpy"]
    torch.set_rng_state(states["torch"])
    if states["cuda"]:
        torch.cuda.set_rng_state_all(states["cuda"])
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    random.setstate(states["python"])
