"""Outputs of a trained model: samples and reconstructions, as arrays or as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, UInt8
from PIL import Image
from torch import Tensor

from genpipe import paths
from genpipe.artifacts.models import load_trained
from genpipe.config.project import Experiment
from genpipe.dataset.storage import Prepared
from genpipe.errors import DataError, UsageError
from genpipe.files import atomic_directory, atomic_file
from genpipe.interfaces.classes import GeneratesClasses
from genpipe.interfaces.generative import Generates, Generative, Reconstructs
from genpipe.interfaces.sampling import SamplingConfig, sampling_with
from genpipe.interfaces.translation import GeneratesFor
from genpipe.nn.batched_inference import passed
from genpipe.nn.image_grid import grid
from genpipe.nn.multi_device import spread
from genpipe.nn.pixel_range import Output, warn_beyond
from genpipe.sampling.conditions import Conditions, held_out_conditions

_AT_ONCE = 500
_FRAME_MS = 80
Part = tuple[np.ndarray, Output]
"""Some of a model's images, and the check of their values."""


@dataclass(frozen=True)
class Samples:
    """The images of a trained model, uint8."""

    images: UInt8[np.ndarray, "n c h w"]
    labels: Int[np.ndarray, "n"] | None = None
    """The requested classes, if the model generates classes; or those of the items whose conditions it was given."""
    rows: Int[np.ndarray, "n"] | None = None
    """The held-out item whose condition each image was generated for, if the model needs conditions."""
    reconstructions: UInt8[np.ndarray, "m c h w"] | None = None
    """The reconstructions of the held-out images, if the model reconstructs."""


@dataclass(frozen=True)
class PicklableModel:
    """A model that can be sent to another process, with any layers: its arguments and its weights."""

    model: Any

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (type(self.model), self.model.init_args, self.model.state_dict(), self.model.sampling)


def generate_samples(
    model: Generative,
    n: int,
    *,
    seed: int,
    batch_size: int = 500,
    devices: int = 1,
    conditions: Conditions | None = None,
) -> UInt8[np.ndarray, "n c h w"]:
    """Returns uint8 samples; a class-conditional model takes each class with training images in turn.

    With conditions, it is an image for each of them, n at most. Every batch has random numbers of its own, so that the
    same seed and batch size on the same kind of device give the same images, however many devices there are.
    Raises UsageError if the model cannot draw any, NonFiniteImages if they are NaN or infinite; warns if much of them
    lies beyond [-1, 1].
    """
    if not isinstance(model, Generates | GeneratesFor):
        raise UsageError(f"{type(model).__name__} draws no samples; it is no generator.")
    if isinstance(model, GeneratesFor) and conditions is None:
        raise UsageError(f"{type(model).__name__} draws no samples without conditions: {', '.join(model.condition)}.")
    n = n if conditions is None else min(n, len(conditions.rows))
    batches = [range(first, min(first + batch_size, n)) for first in range(0, n, batch_size)]
    return _together(spread(partial(_drawn, PicklableModel(model), seed, conditions), batches, devices))


def requested_labels(model: Generative, n: int) -> Int[np.ndarray, "n"] | None:
    """Returns the classes of generated samples, or None for a model without classes."""
    return _classes(model, range(n)).numpy() if isinstance(model, GeneratesClasses) else None


def reconstruct_images(
    model: Generative, images: UInt8[np.ndarray, "n c h w"], devices: int = 1
) -> UInt8[np.ndarray, "n c h w"] | None:
    """Returns uint8 reconstructions of images, or None if the model cannot; same errors and warnings as for samples."""
    if not isinstance(model, Reconstructs):
        return None
    parts = [images[first : first + _AT_ONCE] for first in range(0, len(images), _AT_ONCE)]
    return _together(spread(partial(_rebuilt, PicklableModel(model)), parts, devices))


def save_samples(samples: Samples, folder: Path | str) -> None:
    """Writes samples, one array per file; the same samples give the same bytes."""
    with atomic_directory(Path(folder)) as temporary:
        for name, array in vars(samples).items():
            if array is not None:
                np.save(temporary / f"{name}.npy", array)


def load_samples(folder: Path | str) -> Samples:
    """Returns the samples in a folder, memory-mapped. Raises DataError if they are missing or damaged."""
    try:
        found = {file.stem: np.load(file, mmap_mode="r", allow_pickle=False) for file in Path(folder).glob("*.npy")}
        return Samples(**found)
    except (OSError, ValueError, EOFError, TypeError) as error:
        raise DataError(f"{folder} cannot be read ({error}). Delete it and run `dvc repro`.") from None


def draw_grid(root: Path, experiment: Experiment, n: int, seed: int, path: Path, **options: Any) -> None:
    """Writes n samples of a trained experiment as a picture, in a nearly square grid; fewer, if it has not so many.

    `options` are of those under `sample`, in place of what the YAML says. Raises UsageError for wrong ones.
    """
    model, conditions = load_trained(root, experiment), None
    if isinstance(model, GeneratesFor):  # others do without the data, which need not be there
        conditions = held_out_conditions(model, Prepared.open(root / paths.data(experiment.data.name)), n)
    with sampling_with(model, **options):
        images = generate_samples(model, n, seed=seed, conditions=conditions)
    save_picture(grid(images, int(np.ceil(np.sqrt(len(images))))), path)


def save_picture(picture: UInt8[np.ndarray, "*f h w c"], path: Path | str) -> None:
    """Writes a gray or color picture as PNG; frames [f h w c] become a looping animation."""
    frames = picture[..., 0] if picture.shape[-1] == 1 else picture
    first, *rest = [Image.fromarray(frame) for frame in (frames if picture.ndim == 4 else [frames])]
    moving: dict[str, Any] = {"save_all": True, "append_images": rest, "duration": _FRAME_MS, "loop": 0} if rest else {}
    with atomic_file(Path(path)) as temporary:
        first.save(temporary, format="PNG", optimize=True, **moving)


@torch.inference_mode()
def _drawn(portable: PicklableModel, seed: int, conditions: Conditions | None, batch: range) -> Part:
    """The samples with these numbers."""
    model = portable.model
    own = int(np.random.SeedSequence((seed, batch.start)).generate_state(1)[0])
    rng = torch.Generator(model.device).manual_seed(own)
    if conditions is not None:
        x = model.sample_for(conditions.batch(batch, model.device), rng)
    elif isinstance(model, GeneratesClasses):
        x = model.sample_of(_classes(model, batch).to(rng.device), rng)
    else:
        x = model.sample(len(batch), rng)
    output = Output(type(model).__name__, "samples")
    return output.pixels(x).cpu().numpy(), output


def _arrived(
    kind: type[Generative], init_args: tuple[Any, ...], state: dict[str, Tensor], sampling: SamplingConfig
) -> PicklableModel:
    model = kind(*init_args)
    model.sampling = sampling
    model.load_state_dict(state, assign=True)  # with the memory format of the sender, so that it draws the same bits
    return PicklableModel(model.to(next(iter(state.values())).device).eval())


def _classes(model: GeneratesClasses, numbers: range) -> Int[Tensor, "n"]:
    return model.in_turn(torch.arange(numbers.start, numbers.stop))


def _rebuilt(portable: PicklableModel, images: np.ndarray) -> Part:
    model = portable.model
    output = Output(type(model).__name__, "reconstructions")
    return passed(images, lambda x: output.pixels(model.reconstruct(x)), model.device), output


def _together(parts: Sequence[Part]) -> np.ndarray:
    """The images of all parts."""
    warn_beyond(output for _, output in parts)
    return np.concatenate([images for images, _ in parts])
