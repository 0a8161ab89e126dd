"""Samples during a training, which are scored after it. They cost little and do not change the training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from genpipe.config.training import Train
from genpipe.errors import CheckpointError, DataError, NonFiniteImages, TrainingError
from genpipe.files import atomic_directory, atomic_file
from genpipe.interfaces.generative import Generative
from genpipe.sampling.conditions import Conditions
from genpipe.sampling.drawing import generate_samples
from genpipe.training.callbacks import SampleHook


class Snapshots:
    """Samples at regular steps, each in its own file, so that a resumed training still has them."""

    def __init__(self, folder: Path, train: Train, seed: int, conditions: Conditions | None = None) -> None:
        self.folder, self.train, self.seed, self.conditions = folder, train, seed, conditions

    @property
    def hook(self) -> SampleHook | None:
        """The hook that takes samples in a training; None if none are requested."""
        return SampleHook(self.train.score_every_steps, self._take) if self.train.score_every_steps else None

    def collect(self, folder: Path) -> None:
        """Writes all samples of a training, possibly none, into one folder, which it replaces.

        Raises CheckpointError if what was taken before a training was stopped is missing or damaged.
        """
        every = self.train.score_every_steps
        steps = list(range(every, self.train.steps + 1, every)) if every else []
        with atomic_directory(folder) as temporary:
            np.save(temporary / "steps.npy", np.array(steps, np.int64))
            if steps:
                np.save(temporary / "images.npy", self._all(steps))

    def _all(self, steps: Sequence[int]) -> UInt8[np.ndarray, "s n c h w"]:
        try:
            return np.stack([np.load(self._file(step), allow_pickle=False) for step in steps])
        except (OSError, ValueError, EOFError) as error:
            raise CheckpointError(
                f"{self.folder} is damaged ({error}). Delete {self.folder.parent} to train afresh."
            ) from None

    def _take(self, step: int, model: Generative) -> None:
        """Draws samples, always from the same random numbers, and keeps them. Raises TrainingError."""
        training = model.training
        try:
            n, conditions = self.train.score_images, self.conditions
            images = generate_samples(model.eval(), n, seed=self.seed, conditions=conditions)
        except NonFiniteImages as error:
            raise TrainingError(f"step {step}: {error}") from None
        finally:
            model.train(training)
        with atomic_file(self._file(step)) as temporary, temporary.open("wb") as file:
            np.save(file, images)

    def _file(self, step: int) -> Path:
        return self.folder / f"step-{step:09d}.npy"


def load_snapshots(folder: Path) -> tuple[Int[np.ndarray, "s"], list[UInt8[np.ndarray, "n c h w"]]]:
    """Returns the steps and the samples of each, memory-mapped. Raises DataError if they are missing or damaged."""
    try:
        steps = np.load(folder / "steps.npy", allow_pickle=False)
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False) if len(steps) else []
        return steps, list(images)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{folder} cannot be read ({error}). Delete it and run `dvc repro`.") from None
