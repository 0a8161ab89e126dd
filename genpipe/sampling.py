"""What a finished model gives: samples and reconstructions as arrays, or a picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, UInt8
from PIL import Image

from genpipe import paths
from genpipe.errors import DataError, UsageError
from genpipe.files import whole_file, whole_folder
from genpipe.interfaces import Generates, GeneratesClasses, Generative, Images, Reconstructs
from genpipe.modelfiles import load_model
from genpipe.nn.pictures import grid
from genpipe.nn.pixels import to_model, to_pixels

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


def draw(model: Generative, n: int, *, seed: int, batch_size: int = 500) -> UInt8[np.ndarray, "n c h w"]:
    """uint8 samples, equally many of each class in turn where a model draws classes.

    The same seed on the same device gives the same images. Raises UsageError if the model cannot draw any.
    """
    if not isinstance(model, Generates):
        raise UsageError(f"{type(model).__name__} draws no samples; it is no generator.")
    rng = torch.Generator(model.device).manual_seed(seed)
    labels = asked(model, n)
    with torch.inference_mode():
        parts = [slice(done, min(done + batch_size, n)) for done in range(0, n, batch_size)]
        return np.concatenate([to_pixels(_some(model, labels, part, rng)).cpu().numpy() for part in parts])


def asked(model: Generative, n: int) -> Int[np.ndarray, "n"] | None:
    """The classes of the samples that `draw` gives, or None of a model that draws no classes."""
    return np.arange(n) % model.class_count if isinstance(model, GeneratesClasses) else None


def rebuild(model: Generative, images: UInt8[np.ndarray, "n c h w"]) -> UInt8[np.ndarray, "n c h w"] | None:
    """uint8 reconstructions of images, or None of a model that reconstructs none."""
    if not isinstance(model, Reconstructs):
        return None
    with torch.inference_mode():
        parts = [torch.from_numpy(np.array(some)).to(model.device) for some in _parts(images)]
        return np.concatenate([to_pixels(model.reconstruct(to_model(part))).cpu().numpy() for part in parts])


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


def _some(model: Any, labels: np.ndarray | None, part: slice, rng: torch.Generator) -> Images:
    if labels is None:
        return model.sample(part.stop - part.start, rng)
    return model.sample_of(torch.from_numpy(labels[part]).to(rng.device), rng)


def _parts(images: np.ndarray) -> list[np.ndarray]:
    return [images[first : first + _AT_ONCE] for first in range(0, len(images), _AT_ONCE)]
