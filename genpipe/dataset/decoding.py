"""Decoding of picture files. Their content is not trusted. Without torch, as every worker imports this file."""

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader, BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import TiffImageFile
from simplejpeg import decode_jpeg

from genpipe.files import opened, reason
from genpipe.interfaces.sources import Content, Half

MAX_FILE_BYTES = 64 * 2**20
MAX_PIXELS = 64_000_000
"""Larger pictures are taken for bombs: a worker would need more than a gigabyte for one of them."""
MAX_ASPECT = 50
"""So are pictures that are more times as long as wide: with the shorter side scaled up they would get as large."""

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""PIL's other readers are not let near what is not trusted: some start programs."""
_EXACT = ("PNG", "TIFF", "BMP", "GIF")
"""Of these, the formats whose pixels are read as the numbers that were written."""
_NUMBERED = ("1", "L", "P", "I", "I;16", "I;16L", "I;16B", "I;16N")
_SAVE_AS = "Save it as a PNG in gray or with a palette, one number for each label"
_TIFF_BITS = 258
_MAYBE_TURNED = frozenset(("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"))
_BASELINE = 0xC0
_TABLES = frozenset((0xDB, 0xC4, 0xE0, _BASELINE))
_SCAN = b"\xff\xda"
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_BITS = 24
"""The byte of a PNG with the bits per pixel."""
_PNG_GRAY = (0, 4)
"""The color types, in byte 25 of a PNG, of gray without and with transparency."""
_COLORSPACES = {1: "GRAY", 3: "RGB"}
_PAPER = (255, 255, 255, 255)
"""What shows through transparent pixels."""


class Broken(Exception):
    """A picture that cannot be read, with the reason, and its name if it is the picture of a field."""

    def __init__(self, reason: str, name: str = "") -> None:
        super().__init__(reason)
        self.name = name


def decoded(content: Content | Half, channels: int) -> UInt8[np.ndarray, "h w c"]:
    """Returns a picture in 1 or 3 channels, upright, on white where it is transparent; the first of several frames.

    Raises Broken, whatever is wrong with it.
    """
    if isinstance(content, Half):
        return _half(decoded(content.content, channels), content.side)
    with _in_words():
        data = contents(content)
        pixels = _plain_jpeg(data)
        if pixels is not None and pixels.shape[2] == channels:
            return pixels
        picture = upright(data) if pixels is None else Image.fromarray(pixels[..., 0] if channels == 3 else pixels)
        return np.asarray(_in_mode(picture, "L" if channels == 1 else "RGB")).reshape(*picture.size[::-1], channels)


def numbers(content: Content) -> Int64[np.ndarray, "h w"]:
    """Returns the gray values of a picture, or the indices into its palette, upright, whatever color they stand for.

    Raises Broken if it has neither, or if its format does not keep them exactly.
    """
    with _in_words():
        picture = upright(data := contents(content))
        if picture.format not in _EXACT:
            raise Broken(f"a {picture.format} does not keep numbers exactly; {', '.join(_EXACT)} do. {_SAVE_AS}")
        if picture.mode not in _NUMBERED:
            raise Broken(f"its pixels are {picture.mode}, and which number a color stands for is unknown. {_SAVE_AS}")
        values = np.asarray(picture).astype(np.int64)
        return values // _spread(picture, data) if picture.mode == "L" else values


def _spread(picture: Image.Image, data: bytes) -> int:
    """How far apart gray values lie: of fewer than 8 bits, PIL spreads them over 0 to 255."""
    bits = data[_PNG_BITS] if picture.format == "PNG" else 8
    if isinstance(picture, TiffImageFile):
        bits = picture.tag_v2.get(_TIFF_BITS, (8,))[0]
    return 255 // (2**bits - 1)


def _half(pixels: UInt8[np.ndarray, "h w c"], side: str) -> UInt8[np.ndarray, "h w/2 c"]:
    height, width = pixels.shape[:2]
    if width % 2:
        raise Broken(f"it is {width} pixels wide, an odd number, so it does not hold two pictures side by side")
    if too_long(height, width // 2):
        raise Broken(f"of {width // 2}×{height} pixels, its half, one side is more than {MAX_ASPECT} times the other")
    return pixels[:, : width // 2] if side == "left" else pixels[:, width // 2 :]


def upright(data: bytes) -> Image.Image:
    """Returns a picture, turned as its camera noted. Raises Broken, and what PIL's readers raise."""
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


def colored(content: Content) -> bool | None:
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


def contents(content: Content) -> bytes:
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


@contextmanager
def _in_words() -> Iterator[None]:
    """Raises as Broken whatever is raised: PIL's readers raise anything that a parser can stumble over."""
    try:
        yield
    except Broken:
        raise
    except Image.UnidentifiedImageError:
        raise Broken(f"not a picture that can be read ({', '.join(_FORMATS)})") from None
    except Exception as error:
        raise Broken(reason(error)) from None
