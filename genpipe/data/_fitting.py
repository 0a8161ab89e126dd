"""Images of any size made square."""

from collections.abc import Sequence

import numpy as np
from PIL import Image


def fitted(images: np.ndarray, size: int, fit: str, at: Sequence[tuple[float, float]] = ()) -> np.ndarray:
    """Images [n h w c] made size×size.

    "pad" keeps the whole picture on black, shrunk only if it is too large; "crop" scales the shorter side to size and
    takes the centre, "random_crop" a place that `at` gives for each image, (0, 0) to (1, 1); "stretch" ignores the
    aspect. Scaling is antialiased.
    """
    height, width = images.shape[1:3]
    if fit == "stretch":
        return _resized(images, size, size)
    if fit == "pad":
        scale = min(1.0, size / max(height, width))
        return _centred(_scaled(images, scale), size)
    covering = _scaled(images, size / min(height, width))
    return _centred(covering, size) if fit == "crop" else _placed(covering, size, at)


def _scaled(images: np.ndarray, scale: float) -> np.ndarray:
    height, width = images.shape[1:3]
    return _resized(images, max(1, round(height * scale)), max(1, round(width * scale)))


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


def _placed(images: np.ndarray, size: int, at: Sequence[tuple[float, float]]) -> np.ndarray:
    """A size×size part of each image, at the share of the free way down and right."""
    room = images.shape[1] - size + 1, images.shape[2] - size + 1
    corners = (tuple(int(share * free) for share, free in zip(place, room, strict=True)) for place in at)
    cut = [image[top : top + size, left : left + size] for image, (top, left) in zip(images, corners, strict=True)]
    return np.stack(cut)
