"""What a finished model gives: samples and reconstructions as arrays, or a picture."""

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
from genpipe.errors import DataError, UsageError
from genpipe.files import whole_file, whole_folder
from genpipe.interfaces import Generates, GeneratesClasses, Generative, Reconstructs
from genpipe.modelfiles import load_model
from genpipe.nn.passing import rebuilt
from genpipe.nn.pictures import grid
from genpipe.nn.pixels import to_pixels
from genpipe.nn.spreading import spread

_AT_ONCE = 500
_FRAME_MS = 80


@dataclass(frozen=True)
class Samples:
    """What a finished model gives, uint8."""

    images: UInt8[np.ndarray, "n c h w"]
    labels: Int[np.ndarray, "n"] | None = None
    """The classes that were asked for, where a model draws classes."""
    rebuilt: UInt8[np.ndarray, "m c h w"] | None = None
    """The held-out images as the model reconstructs them, where it does."""


@dataclass(frozen=True)
class Portable:
    """A model that another process can be sent, whatever its layers are: what it is built from, and its weights."""

    model: Any

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (type(self.model), self.model.built_from, self.model.state_dict())


def draw(
    model: Generative, n: int, *, seed: int, batch_size: int = 500, devices: int = 1
) -> UInt8[np.ndarray, "n c h w"]:
    """uint8 samples, equally many of each class with training images in turn where a model draws classes.

    Every batch has random numbers of its own, so that the same seed and batch size on the same kind of device give the
    same images, however many devices there are. Raises UsageError if the model cannot draw any.
    """
    if not isinstance(model, Generates):
        raise UsageError(f"{type(model).__name__} draws no samples; it is no generator.")
    batches = [range(first, min(first + batch_size, n)) for first in range(0, n, batch_size)]
    return np.concatenate(spread(partial(_drawn, Portable(model), seed), batches, devices))


def asked(model: Generative, n: int) -> Int[np.ndarray, "n"] | None:
    """The classes of the samples that `draw` gives, or None of a model that draws no classes."""
    return _classes(model, range(n)).numpy() if isinstance(model, GeneratesClasses) else None


def rebuild(
    model: Generative, images: UInt8[np.ndarray, "n c h w"], devices: int = 1
) -> UInt8[np.ndarray, "n c h w"] | None:
    """uint8 reconstructions of images, or None of a model that reconstructs none."""
    if not isinstance(model, Reconstructs):
        return None
    parts = [images[first : first + _AT_ONCE] for first in range(0, len(images), _AT_ONCE)]
    return np.concatenate(spread(partial(_rebuilt, Portable(model)), parts, devices))


def save_samples(samples: Samples, folder: Path) -> None:
    """Writes samples, an array a file; the same samples give the same bytes."""
    with whole_folder(folder) as temporary:
        for name, array in vars(samples).items():
            if array is not None:
                np.save(temporary / f"{name}.npy", array)


def load_samples(folder: Path) -> Samples:
    """The samples in a folder, memory-mapped. Raises DataError if they are missing or damaged."""
    try:
        found = {file.stem: np.load(file, mmap_mode="r", allow_pickle=False) for file in folder.glob("*.npy")}
        return Samples(**found)
    except (OSError, ValueError, EOFError, TypeError) as error:
        raise DataError(f"{folder} cannot be read ({error}). Delete it and run `dvc repro`.") from None


def draw_grid(experiment: str, n: int, seed: int, path: Path) -> None:
    """Draws n samples of a finished experiment into a picture, in a grid as square as it gets."""
    model, _ = load_model(paths.root() / paths.model(experiment))
    save_picture(grid(draw(model, n, seed=seed), int(np.ceil(np.sqrt(n)))), path)


def save_picture(picture: UInt8[np.ndarray, "*f h w c"], path: Path) -> None:
    """Writes a grey or colour picture as PNG; frames [f h w c] as one that moves, over and over."""
    frames = picture[..., 0] if picture.shape[-1] == 1 else picture
    first, *rest = [Image.fromarray(frame) for frame in (frames if picture.ndim == 4 else [frames])]
    moving: dict[str, Any] = {"save_all": True, "append_images": rest, "duration": _FRAME_MS, "loop": 0} if rest else {}
    with whole_file(path) as temporary:
        first.save(temporary, format="PNG", optimize=True, **moving)


@torch.inference_mode()
def _drawn(portable: Portable, seed: int, batch: range) -> np.ndarray:
    """The samples with these numbers."""
    model = portable.model
    own = int(np.random.SeedSequence((seed, batch.start)).generate_state(1)[0])
    rng = torch.Generator(model.device).manual_seed(own)
    if isinstance(model, GeneratesClasses):
        x = model.sample_of(_classes(model, batch).to(rng.device), rng)
    else:
        x = model.sample(len(batch), rng)
    return to_pixels(x).cpu().numpy()


def _arrived(kind: type[Generative], built_from: tuple[Any, ...], state: dict[str, Tensor]) -> Portable:
    model = kind(*built_from)
    model.load_state_dict(state)
    return Portable(model.to(next(iter(state.values())).device).eval())


def _classes(model: GeneratesClasses, numbers: range) -> Int[Tensor, "n"]:
    return model.in_turn(torch.arange(numbers.start, numbers.stop))


def _rebuilt(portable: Portable, pixels: np.ndarray) -> np.ndarray:
    return rebuilt(portable.model, pixels)
