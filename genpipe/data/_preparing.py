"""From a source to arrays on disk."""

from pathlib import Path

import numpy as np
from PIL import Image

from genpipe.data._storage import SPLITS, Prepared, images_file, labels_file, write_meta
from genpipe.errors import DataError
from genpipe.files import whole_folder
from genpipe.interfaces import ImageSpec, Source, Split


def prepare(source: Source, *, size: int, fit: str, seed: int, folder: Path) -> Prepared:
    """Reads a source once, chunk by chunk, and writes its splits as uint8 arrays [n c size size] with labels.

    Raises DataError if a split is not what the source announced.
    """
    spec = ImageSpec(source.channels, size, size, source.classes)
    with whole_folder(folder) as temporary:
        splits = source.splits(seed)
        for name in SPLITS:
            _write_split(splits[name], spec, fit, name, temporary)
        write_meta(temporary, spec)
    return Prepared.open(folder)


def _write_split(split: Split, spec: ImageSpec, fit: str, name: str, folder: Path) -> None:
    out = np.lib.format.open_memmap(images_file(folder, name), "w+", np.uint8, (split.count, *spec.shape))
    done = 0
    for chunk in split.images:
        if done + len(chunk) > split.count or chunk.dtype != np.uint8 or chunk.shape[3] != spec.channels:
            raise DataError(
                f"split '{name}': a chunk of {chunk.dtype} {chunk.shape} came after {done} of {split.count} images; "
                f"uint8 [n h w {spec.channels}] is needed, {split.count} images in all."
            )
        out[done : done + len(chunk)] = fitted(chunk, spec.height, fit).transpose(0, 3, 1, 2)
        done += len(chunk)
    if done != split.count or (split.labels is not None and len(split.labels) != done):
        counted = "no" if split.labels is None else len(split.labels)
        raise DataError(f"split '{name}': {split.count} images were announced; {done} came, with {counted} labels.")
    out.flush()
    if split.labels is not None:
        np.save(labels_file(folder, name), split.labels.astype(np.int64), allow_pickle=False)


def fitted(images: np.ndarray, size: int, fit: str) -> np.ndarray:
    """Images [n h w c] made size×size.

    "pad" keeps the whole picture on black, shrunk only if it is too large; "crop" scales the shorter side to size and
    takes the centre; "stretch" ignores the aspect. Scaling is antialiased.
    """
    height, width = images.shape[1:3]
    if fit == "stretch":
        return _resized(images, size, size)
    if fit == "pad":
        scale = min(1.0, size / max(height, width))
        return _centred(_resized(images, round(height * scale), round(width * scale)), size)
    scale = size / min(height, width)
    return _centred(_resized(images, round(height * scale), round(width * scale)), size)


def _resized(images: np.ndarray, height: int, width: int) -> np.ndarray:
    if images.shape[1:3] == (height, width):
        return images
    channels = images.shape[3]
    pictures = (Image.fromarray(i[..., 0] if channels == 1 else i) for i in images)
    resized = [np.asarray(p.resize((width, height), Image.Resampling.BICUBIC)) for p in pictures]
    return np.stack(resized).reshape(-1, height, width, channels)


def _centred(images: np.ndarray, size: int) -> np.ndarray:
    """The central size×size part, on black where the images are smaller."""
    n, height, width, channels = images.shape
    out = np.zeros((n, size, size, channels), np.uint8)
    tall, wide = min(height, size), min(width, size)
    top, left, row, column = (size - tall) // 2, (size - wide) // 2, (height - tall) // 2, (width - wide) // 2
    out[:, top : top + tall, left : left + wide] = images[:, row : row + tall, column : column + wide]
    return out
