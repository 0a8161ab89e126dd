"""Samples of a finished model: one archive, or a picture."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from genpipe import paths
from genpipe.errors import UsageError
from genpipe.files import read_arrays, whole_file, write_arrays
from genpipe.interfaces import Generates, Generative
from genpipe.modelfiles import load_model
from genpipe.nn.pictures import grid
from genpipe.nn.pixels import to_pixels


def draw(model: Generative, n: int, *, seed: int, batch_size: int = 500) -> UInt8[np.ndarray, "n c h w"]:
    """uint8 samples; the same seed on the same device gives the same images.

    Raises UsageError if the model cannot draw any.
    """
    if not isinstance(model, Generates):
        raise UsageError(f"{type(model).__name__} draws no samples; it is no generator.")
    rng = torch.Generator(model.device).manual_seed(seed)
    with torch.inference_mode():
        sizes = [min(batch_size, n - done) for done in range(0, n, batch_size)]
        return np.concatenate([to_pixels(model.sample(size, rng)).cpu().numpy() for size in sizes])


def save_samples(images: UInt8[np.ndarray, "n c h w"], path: Path) -> None:
    """Writes samples as one archive; the same samples give the same bytes."""
    write_arrays(path, images=images)


def load_samples(path: Path) -> UInt8[np.ndarray, "n c h w"]:
    """The samples in an archive. Raises DataError if it is missing or damaged."""
    return read_arrays(path, "images")[0]


def draw_grid(experiment: str, n: int, seed: int, path: Path) -> None:
    """Draws n samples of a finished experiment into a picture, in a grid as square as it gets."""
    model, _ = load_model(paths.root() / paths.model(experiment))
    save_picture(grid(draw(model, n, seed=seed), int(np.ceil(np.sqrt(n)))), path)


def save_picture(picture: UInt8[np.ndarray, "h w c"], path: Path) -> None:
    """Writes a grey or colour picture as PNG."""
    shown = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
    with whole_file(path) as temporary:
        shown.save(temporary, format="PNG", optimize=True)
