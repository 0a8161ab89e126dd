"""Resizing of images of any size to one size."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from PIL import Image

from genpipe.interfaces.spec import ImageSize, sides

_WHOLE_PIXELS = 2**22
"""No more than this, or one row, is scaled at once of a picture of which only a part is wanted."""
_FILTER_PIXELS = 2
"""So far a bicubic filter reaches to each side, of the larger pixels."""
Sides = tuple[int, int]
"""Along the height and the width."""


def fitted(
    images: np.ndarray, size: ImageSize, fit: str, at: Sequence[tuple[float, float]] = (), *, nearest: bool = False
) -> np.ndarray:
    """Returns images [n h w c] resized to a size.

    "pad" keeps the whole picture on black, shrunk only if it is too large; "crop" scales it until it just covers the
    size and takes the center, "random_crop" a place that `at` gives for each image, (0, 0) to (1, 1); "stretch" ignores
    the aspect. Scaling is antialiased, bicubic, of uint8; or takes the nearest pixel, of any type, for numbers that
    stand for something else.
    """
    wanted, (height, width) = sides(size), images.shape[1:3]
    if fit == "stretch":
        return _resized(images, wanted, nearest)
    scales = wanted[0] / height, wanted[1] / width
    if fit == "pad":
        return _centered(_resized(images, _scaled(height, width, min(1.0, *scales)), nearest), wanted)
    scaled = _scaled(height, width, max(scales))
    if scaled == wanted:
        return _resized(images, wanted, nearest)
    down, right = scaled[0] - wanted[0], scaled[1] - wanted[1]
    middle = [(down // 2, right // 2)] * len(images)
    corners = middle if fit == "crop" else [(int(y * (down + 1)), int(x * (right + 1))) for y, x in at]
    cut = _cut_nearest if nearest else _cut
    return np.stack([cut(i, wanted, scaled, corner) for i, corner in zip(images, corners, strict=True)])


def _scaled(height: int, width: int, scale: float) -> Sides:
    return max(1, round(height * scale)), max(1, round(width * scale))


def _resized(images: np.ndarray, size: Sides, nearest: bool = False) -> np.ndarray:
    height, width = size
    if images.shape[1:3] == size:
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


def _centered(images: np.ndarray, size: Sides) -> np.ndarray:
    """The central part of a size, on black around the images, none of which is larger."""
    n, tall, wide, channels = images.shape
    out = np.zeros((n, *size, channels), images.dtype)
    top, left = (size[0] - tall) // 2, (size[1] - wide) // 2
    out[:, top : top + tall, left : left + wide] = images
    return out


def _cut(image: np.ndarray, size: Sides, scaled: Sides, corner: Sides) -> np.ndarray:
    """The part of a size at a corner (top, left) of an image [h w c] that is scaled, so that one side has that size.

    Of a long image no more is scaled than the part is made of, with the same result to the last bit.
    """
    (height, width), (tall, wide), (top, left) = size, scaled, corner
    if tall * wide <= _WHOLE_PIXELS:
        return _resized(image[None], scaled)[0, top : top + height, left : left + width]
    tall_first = _height_first(image, tall, wide)
    if tall > height:
        return _cut_along(image.swapaxes(0, 1), (width, height), tall, top, tall_first).swapaxes(0, 1)
    return _cut_along(image, size, wide, left, not tall_first)


def _cut_nearest(image: np.ndarray, size: Sides, scaled: Sides, corner: Sides) -> np.ndarray:
    """The same part with the nearest pixels, of which no other is touched."""
    of_axes = zip(image.shape, scaled, corner, size, strict=False)
    rows, columns = (_nearest(length, long)[first : first + count] for length, long, first, count in of_axes)
    return image[rows][:, columns]


def _height_first(image: np.ndarray, tall: int, wide: int) -> bool:
    """Whether PIL 13 scales an image's height before its width: with whole levels between, the order is to be seen."""
    return image.shape[0] - tall > max(0, 2 * (image.shape[1] - wide))


def _cut_along(image: np.ndarray, size: Sides, wide: int, left: int, long_first: bool) -> np.ndarray:
    """A part of an image that is too wide, its width scaled before its height or after it."""
    width = image.shape[1]
    there = _reached(width, wide, left, size[1])
    image = image[:, there]
    if long_first:
        return _resized(_piece(image, there, width, wide, left, size[1])[None], size)[0]
    return _piece(_resized(image[None], (size[0], image.shape[1]))[0], there, width, wide, left, size[1])


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
        pieces.append(_resized(strip, (strip.shape[1], wide))[0, :, left : left + count].copy())
    return np.concatenate(pieces)
