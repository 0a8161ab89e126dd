"""Resizing of images of any size to squares."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from PIL import Image

_WHOLE_PIXELS = 2**22
"""No more than this, or one row, is scaled at once of a picture of which only a part is wanted."""
_FILTER_PIXELS = 2
"""So far a bicubic filter reaches to each side, of the larger pixels."""


def fitted(
    images: np.ndarray, size: int, fit: str, at: Sequence[tuple[float, float]] = (), *, nearest: bool = False
) -> np.ndarray:
    """Returns images [n h w c] resized to size×size.

    "pad" keeps the whole picture on black, shrunk only if it is too large; "crop" scales the shorter side to size and
    takes the center, "random_crop" a place that `at` gives for each image, (0, 0) to (1, 1); "stretch" ignores the
    aspect. Scaling is antialiased, bicubic, of uint8; or takes the nearest pixel, of any type, for numbers that stand
    for something else.
    """
    height, width = images.shape[1:3]
    if fit == "stretch":
        return _resized(images, size, size, nearest)
    if fit == "pad":
        tall, wide = _scaled(height, width, min(1.0, size / max(height, width)))
        return _centered(_resized(images, tall, wide, nearest), size)
    tall, wide = _scaled(height, width, size / min(height, width))
    if tall == wide:
        return _resized(images, size, size, nearest)
    down, right = tall - size, wide - size
    middle = [(down // 2, right // 2)] * len(images)
    corners = middle if fit == "crop" else [(int(y * (down + 1)), int(x * (right + 1))) for y, x in at]
    cut = _cut_nearest if nearest else _cut
    return np.stack([cut(i, size, tall, wide, *corner) for i, corner in zip(images, corners, strict=True)])


def _scaled(height: int, width: int, scale: float) -> tuple[int, int]:
    return max(1, round(height * scale)), max(1, round(width * scale))


def _resized(images: np.ndarray, height: int, width: int, nearest: bool = False) -> np.ndarray:
    if images.shape[1:3] == (height, width):
        return images
    if nearest:
        return images[:, _nearest(images.shape[1], height)][:, :, _nearest(images.shape[2], width)]
    channels = images.shape[3]
    pictures = (Image.fromarray(i[..., 0] if channels == 1 else i) for i in images)
    resized = [np.asarray(p.resize((width, height), Image.Resampling.BICUBIC)) for p in pictures]
    return np.stack(resized).reshape(-1, height, width, channels)


def _nearest(length: int, scaled: int) -> np.ndarray:
    """The pixel of a side whose middle is the nearest to that of each pixel of the scaled side."""
    return (2 * np.arange(scaled) + 1) * length // (2 * scaled)


def _centered(images: np.ndarray, size: int) -> np.ndarray:
    """The central size×size part, on black where the images are smaller."""
    n, height, width, channels = images.shape
    out = np.zeros((n, size, size, channels), images.dtype)
    tall, wide = min(height, size), min(width, size)
    top, left, row, column = (size - tall) // 2, (size - wide) // 2, (height - tall) // 2, (width - wide) // 2
    out[:, top : top + tall, left : left + wide] = images[:, row : row + tall, column : column + wide]
    return out


def _cut(image: np.ndarray, size: int, tall: int, wide: int, top: int, left: int) -> np.ndarray:
    """The size×size part at (top, left) of an image [h w c] scaled to tall×wide, one of which is size.

    Of a long image no more is scaled than the part is made of, with the same result to the last bit.
    """
    if tall * wide <= _WHOLE_PIXELS:
        return _resized(image[None], tall, wide)[0, top : top + size, left : left + size]
    long_first = _height_first(image, tall, wide) == (tall > wide)
    if tall > wide:
        return _cut_along(image.swapaxes(0, 1), size, tall, top, long_first).swapaxes(0, 1)
    return _cut_along(image, size, wide, left, long_first)


def _cut_nearest(image: np.ndarray, size: int, tall: int, wide: int, top: int, left: int) -> np.ndarray:
    """The same part with the nearest pixels, of which no other is touched."""
    rows, columns = _nearest(image.shape[0], tall)[top : top + size], _nearest(image.shape[1], wide)[left : left + size]
    return image[rows][:, columns]


def _height_first(image: np.ndarray, tall: int, wide: int) -> bool:
    """Whether PIL 13 scales an image's height before its width: with whole levels between, the order is to be seen."""
    return image.shape[0] - tall > max(0, 2 * (image.shape[1] - wide))


def _cut_along(image: np.ndarray, size: int, wide: int, left: int, long_first: bool) -> np.ndarray:
    """A part of an image that is wider than high, its width scaled before its height or after it."""
    width = image.shape[1]
    there = _reached(width, wide, left, size)
    image = image[:, there]
    if long_first:
        return _resized(_piece(image, there, width, wide, left, size)[None], size, size)[0]
    return _piece(_resized(image[None], size, image.shape[1])[0], there, width, wide, left, size)


def _reached(length: int, scaled: int, first: int, count: int) -> slice:
    """The pixels of a side of which so many are made, from the first on, when it is scaled."""
    step = length / scaled
    margin = _FILTER_PIXELS * max(1.0, step) + 1
    return slice(max(0, int(first * step - margin)), min(length, ceil((first + count) * step + margin)))


def _piece(image: np.ndarray, there: slice, width: int, wide: int, left: int, count: int) -> np.ndarray:
    """So many columns of an image whose width is scaled; the columns that they are made of are there, in their place.

    A few rows at a time, for to PIL the whole width has to be given, and by PIL the whole is made.
    """
    height, most = len(image), max(1, _WHOLE_PIXELS // max(width, wide))
    pieces = []
    for start in range(0, height, most):
        strip = np.zeros((1, min(most, height - start), width, image.shape[2]), np.uint8)
        strip[0, :, there] = image[start : start + most]
        pieces.append(_resized(strip, strip.shape[1], wide)[0, :, left : left + count].copy())
    return np.concatenate(pieces)
