"""Decoding of picture files. Their content is not trusted. Without torch, as every worker imports this file."""

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader, BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps
from simplejpeg import decode_jpeg

from genpipe.files import opened, reason

MAX_FILE_BYTES = 64 * 2**20
MAX_PIXELS = 64_000_000
"""Larger pictures are taken for bombs: a worker would need more than a gigabyte for one of them."""
MAX_ASPECT = 50
"""So are pictures that are more times as long as wide: with the shorter side scaled up they would get as large."""

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""PIL's other readers are not let near what is not trusted: some start programs."""
_MAYBE_TURNED = frozenset(("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"))
_BASELINE = 0xC0
_TABLES = frozenset((0xDB, 0xC4, 0xE0, _BASELINE))
_SCAN = b"\xff\xda"
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_GRAY = (0, 4)
"""The color types, in byte 25 of a PNG, of gray without and with transparency."""
_COLORSPACES = {1: "GRAY", 3: "RGB"}
_PAPER = (255, 255, 255, 255)
"""What shows through transparent pixels."""


class Broken(Exception):
    """A picture that cannot be read, with the reason."""


def decoded(content: bytes | Path, channels: int) -> UInt8[np.ndarray, "h w c"]:
    """Returns a picture in 1 or 3 channels, upright, on white where it is transparent; the first of several frames.

    Raises Broken, whatever is wrong with it.
    """
    try:
        data = contents(content)
        pixels = _plain_jpeg(data)
        if pixels is not None and pixels.shape[2] == channels:
            return pixels
        picture = _upright(data) if pixels is None else Image.fromarray(pixels[..., 0] if channels == 3 else pixels)
        return np.asarray(_in_mode(picture, "L" if channels == 1 else "RGB")).reshape(*picture.size[::-1], channels)
    except Broken:
        raise
    except Exception as error:  # PIL's readers raise anything that a parser can stumble over
        raise Broken(_in_words(error)) from None


def _upright(data: bytes) -> Image.Image:
    picture = _opened(BytesIO(data))
    picture.load()
    if not _MAYBE_TURNED.isdisjoint(picture.info):
        ImageOps.exif_transpose(picture, in_place=True)
    return picture


def _opened(file: BytesIO | BufferedReader) -> Image.Image:
    """A picture of which only the header is read. Raises Broken if it is too large or long, and what PIL raises."""
    picture = Image.open(file, formats=_FORMATS)
    if picture.width * picture.height > MAX_PIXELS:
        raise Broken(f"{picture.width}×{picture.height} are more than {MAX_PIXELS:,} pixels")
    if too_long(picture.height, picture.width):
        raise Broken(f"of {picture.width}×{picture.height} pixels one side is more than {MAX_ASPECT} times the other")
    return picture


def too_long(height: int, width: int) -> bool:
    """Returns whether the sides of a picture are too unequal for it to be resized."""
    return max(height, width) > MAX_ASPECT * min(height, width)


def _plain_jpeg(data: bytes) -> UInt8[np.ndarray, "h w c"] | None:
    """The pixels of a JPEG without metadata, straight from libjpeg-turbo; None for any other, and for a broken one.

    For small pictures PIL's reading of headers in Python takes longer than the decoding. Other segments than tables can
    change what is seen (orientation, Adobe's colors), so with one of them PIL's own reader has its say.
    """
    at, components = 2, 0
    if data[:2] != b"\xff\xd8":
        return None
    while data[at : at + 1] == b"\xff" and data[at + 1] in _TABLES:
        if data[at + 1] == _BASELINE:
            bits, height, width, components = struct.unpack_from(">BHHB", data, at + 4)
            components *= bits == 8 and 0 < width * height <= MAX_PIXELS and not too_long(height, width)
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    if data[at : at + 2] != _SCAN or components not in _COLORSPACES:
        return None
    with suppress(ValueError):
        return decode_jpeg(data, _COLORSPACES[components])
    return None


def colored(content: bytes | Path) -> bool | None:
    """Returns whether a picture has colors (a palette counts), by its header; None if that cannot be read."""
    try:
        with opened(content, follow=False) if isinstance(content, Path) else BytesIO(content) as file:
            head = file.read(26)
            if head.startswith(_PNG):
                return head[25] not in _PNG_GRAY
            file.seek(0)
            return _opened(file).mode not in {*_CONVERSIONS, "1", "L", "LA", "La"}
    except Exception:  # whatever is wrong is said when the picture is decoded
        return None


def contents(content: bytes | Path) -> bytes:
    """Returns the content of a file without following links. Raises Broken if it is too large, and OSError."""
    if isinstance(content, Path):
        with opened(content, follow=False) as file:
            size_bytes = os.fstat(file.fileno()).st_size
            content = file.read(min(size_bytes, MAX_FILE_BYTES) + 1)  # more room than is needed takes longer to get
    if len(content) > MAX_FILE_BYTES:
        raise Broken(f"the file has more than {MAX_FILE_BYTES:,} bytes")
    return content


def _in_mode(picture: Image.Image, mode: str) -> Image.Image:
    if picture.mode == mode and "transparency" not in picture.info:
        return picture
    if picture.mode in _CONVERSIONS:
        return _eight_bits(picture).convert(mode)
    if picture.has_transparency_data:
        pasted = Image.new("RGBA", picture.size, _PAPER)
        pasted.alpha_composite(picture.convert("RGBA"))
        return pasted.convert(mode)
    return picture.convert(mode)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """A gray picture of deep pixels with 256 levels."""
    values = np.asarray(picture)
    levels = _CONVERSIONS[picture.mode](values)
    return Image.fromarray(np.rint(levels).astype(np.uint8))


def _from_16(values: np.ndarray) -> np.ndarray:
    if values.min() < 0 or values.max() > 65535:
        raise Broken(f"its values run from {values.min()} to {values.max()}; 0 to 65535 are understood")
    return values / 257


def _from_float(values: np.ndarray) -> np.ndarray:
    if not (values.min() >= 0 and values.max() <= 1):
        raise Broken(f"its values run from {values.min()} to {values.max()}; floats from 0 to 1 are understood")
    return values * 255


_CONVERSIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    **dict.fromkeys(("I;16", "I;16L", "I;16B", "I;16N", "I"), _from_16),
    "F": _from_float,
}


def _in_words(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return f"not a picture that can be read ({', '.join(_FORMATS)})"
    return reason(error)
