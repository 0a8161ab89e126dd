"""Checkpoints: written whole or not at all, verified by a checksum, loaded without running code."""

import hashlib
import random
import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric.utilities.seed import seed_everything
from torch import Tensor, nn

from genpipe.errors import CheckpointError
from genpipe.files import settle

Put = Callable[[Any], object]


class Checkpoints:
    """The two newest states of an unfinished training, in its own folder.

    The folder's name must be a key of everything that decides the result, so that a changed experiment starts afresh.
    A file is called step-<step>-<first digits of its SHA-256>.pt. No more than one training may use the folder at once.
    Before one is written, `verify` may raise an error of its own if the state is not made of what the key says.
    """

    KEEP = 2
    UNFINISHED = ".unfinished.tmp"

    def __init__(self, folder: Path, verify: Callable[[], object] = lambda: None) -> None:
        self.folder, self.verify = folder, verify

    def write(self, step: int, state: dict[str, Any]) -> Path:
        """Writes the state after a step and drops all but the newest two."""
        self.verify()
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

    def newest(self, verify: Callable[[Any], None] = lambda state: None) -> dict[str, Any] | None:
        """Returns the newest undamaged state that `verify` accepts without a CheckpointError; None without files.

        A file that cannot be used is named in a warning and passed over. Raises CheckpointError if none is left.
        Also clears away what a training left that was killed while it wrote.
        """
        (self.folder / self.UNFINISHED).unlink(missing_ok=True)
        for path in self.files():
            try:
                state = _loaded(path)
                verify(state)
                return cast(dict[str, Any], state)
            except CheckpointError as error:
                warnings.warn(f"the checkpoint {path} is passed over: {error}", stacklevel=2)
        if self.files():
            raise CheckpointError(
                f"no checkpoint in {self.folder} can be used, as the warnings say. Delete the folder to train afresh."
            )
        return None

    def files(self) -> list[Path]:
        """Returns the checkpoints, newest first."""
        return sorted(self.folder.glob("step-*.pt"), reverse=True)

    def clear(self) -> None:
        """Removes all checkpoints of a finished training."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _loaded(path: Path) -> Any:
    """What is in a checkpoint. Raises CheckpointError."""
    if _digest(path) != path.stem.rpartition("-")[2]:
        raise CheckpointError("it is damaged.")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # what is raised depends on what is in the file
        raise CheckpointError(f"it holds something else than numbers ({type(error).__name__}).") from None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def transient(model: nn.Module) -> dict[str, Tensor]:
    """Returns the buffers of a model that are not persistent: state of its training that is no weight."""
    kept = model.state_dict().keys()
    return {name: buffer for name, buffer in model.named_buffers() if name not in kept}


def restore_transient(model: nn.Module, saved: Mapping[str, Tensor]) -> None:
    """Puts values of buffers that are not persistent back into a model."""
    for name, buffer in transient(model).items():
        buffer.copy_(saved[name])


def fresh_random_states(seed: int, *numbers: int) -> None:
    """Seeds every random generator from a seed and numbers, unlike from the seed alone."""
    seed_everything(int(np.random.SeedSequence((seed, *numbers)).generate_state(1)[0]), verbose=False)


def random_states() -> dict[str, Any]:
    """Returns the states of all random generators, in types that load without running code."""
    name, keys, *rest = cast(tuple[str, np.ndarray, int, int, float], np.random.get_state(legacy=True))
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": (name, torch.from_numpy(keys.astype(np.int64)), *rest),
        "python": random.getstate(),
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Restores all random generators to a result of `random_states`; a missing GPU is left out."""
    put_random_states(states, torch.set_rng_state, np.random.set_state, random.setstate)
    for place, state in enumerate(states["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, place)


def put_random_states(states: Mapping[str, Any], of_torch: Put, of_numpy: Put, of_python: Put) -> None:
    """Passes the states of the CPU's generators, as from `random_states`, to setters."""
    name, keys, *rest = states["numpy"]
    of_torch(states["torch"])
    of_numpy((name, keys.numpy().astype(np.uint32), *rest))
    of_python(states["python"])
