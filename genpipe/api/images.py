"""Images in a notebook: arrays that are shown as a grid, from arrays, tensors, pictures or files."""

from collections.abc import Sequence
from io import BytesIO
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias, get_args

import numpy as np
from PIL import Image
from torch import Tensor

from genpipe import registry
from genpipe.api._words import in_python, warn
from genpipe.config.datasets import Dataset
from genpipe.config.document import Document
from genpipe.config.validation import validated
from genpipe.data.arrays import as_pixels, channel_axis
from genpipe.dataset.reading import Held, Reading, pictures_at, read, source_at
from genpipe.errors import DataError, UnknownName, UsageError
from genpipe.interfaces.sources import EncodedImage, Source
from genpipe.interfaces.spec import ImageSize, Kind, image_size
from genpipe.nn.image_grid import grid
from genpipe.sampling.drawing import save_picture

Given: TypeAlias = np.ndarray | Tensor | Image.Image | Sequence[Any] | str | PathLike[str]
"""The accepted inputs of `images`."""
SHOWN = 400
"""The number of images that a notebook shows; `save` writes all."""
_CHANNELS = (1, 2, 3)
_REMEDY = "Say it: genpipe.images(…, value_range=(BLACK, WHITE)); or give uint8 from 0 to 255."


class Images(np.ndarray[Any, np.dtype[np.uint8]]):
    """Images as uint8 [n h w c], which a notebook shows as a grid.

    `some[3]` is one of them, [h w c]; what is computed from them is a plain array. c is 1 for gray, 3 for color, 2
    for what has two numbers a pixel. Raises UsageError for any other array.
    """

    def __new__(cls, pixels: np.ndarray) -> "Images":
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] not in _CHANNELS:
            raise UsageError(
                f"Images are uint8 [n h w c] with 1 to 3 channels, and {pixels.dtype} {list(pixels.shape)} is given. "
                "genpipe.images(…) makes them of other arrays."
            )
        return np.ascontiguousarray(pixels).view(cls)

    @classmethod
    def of_planes(cls, planes: np.ndarray) -> "Images":
        """Makes images from uint8 [n c h w], the layout of models and metrics."""
        return cls(np.moveaxis(np.asarray(planes), 1, -1))

    @property
    def planes(self) -> np.ndarray:
        """The images as uint8 [n c h w]."""
        return np.ascontiguousarray(np.moveaxis(np.asarray(self), -1, 1))

    def picture(self, columns: int | None = None) -> np.ndarray:
        """Returns one picture, uint8 [H W c], of all images in rows; by default nearly square."""
        planes = Images(self.reshape(-1, *self.shape[-3:])).planes
        return grid(planes, columns or int(np.ceil(np.sqrt(len(planes)))))

    def save(self, path: str | PathLike[str], columns: int | None = None) -> None:
        """Writes that picture as PNG, over an existing file. Raises UsageError if the name does not end in .png."""
        if Path(path).suffix.lower() != ".png":
            raise UsageError(f"{path} is no .png, which is written. `numpy.save` writes an array.")
        save_picture(self.picture(columns), Path(path))

    def _repr_png_(self) -> bytes | None:
        if self.dtype != np.uint8 or self.ndim not in (3, 4) or self.shape[-1] not in _CHANNELS or not self.size:
            return None
        picture, content = Images(self.reshape(-1, *self.shape[-3:])[:SHOWN]).picture(), BytesIO()
        Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).save(content, format="PNG")
        return content.getvalue()

    def __array_wrap__(self, array: np.ndarray, context: Any = None, return_scalar: bool = False) -> Any:
        return array[()] if return_scalar else np.asarray(array)


def images(
    given: Given,
    *,
    size: ImageSize | None = None,
    channels: int | None = None,
    resize_mode: str = "crop",
    value_range: tuple[float | int, float | int] | None = None,
    skip_broken: bool = False,
) -> Images:
    """Returns images from an array, a tensor, a picture or a list of pictures, or the path of files.

    Arrays are [n h w], [n h w c] or [n c h w] with 1, 3 or 4 channels: uint8 from 0 to 255, bool, floats from 0 to 1,
    or any numbers with `value_range`, the values of black and of white: (-1, 1). A path is that of a picture, a folder,
    an archive, a .npy or a .npz. All are made `size` pixels high and wide, or (height, width), by `resize_mode`
    ("crop", "pad", "stretch"), and gray (`channels` 1) or colored (3); as they are, if not given. Files that cannot be
    read are left out with `skip_broken`. Raises DataError or UsageError for what is no such thing, or not certain.
    """
    if isinstance(given, Images) and given.ndim == 4 and size is None and channels is None:
        return given
    kinds = get_args(Dataset.model_fields["resize_mode"].annotation)
    if resize_mode not in kinds:
        raise UnknownName(resize_mode, "way to resize images", kinds)
    with TemporaryDirectory(prefix="genpipe-") as scratch, in_python():
        reading = Reading(verified_size(size), channels, resize_mode, skip_broken, warn)
        return Images.of_planes(np.array(read(_source(given, value_range), reading, Path(scratch) / "read.npy").images))


def verified_size(size: ImageSize | None) -> ImageSize | None:
    """Returns a size that is a number, (height, width) or None. Raises UsageError for anything else."""
    try:
        return None if size is None else image_size(size)
    except ValueError as error:
        raise UsageError(f"size {error}.") from None


def _source(given: Given, value_range: tuple[float | int, float | int] | None) -> Source:
    if isinstance(given, str | PathLike):
        if value_range is not None:
            raise UsageError("value_range is for arrays in memory; give genpipe.images(numpy.load(…), value_range=…).")
        if not Path(given).exists():
            raise DataError(f"there is no {given}; give the path of a folder, an archive, a picture or an array.")
        return source_at(Path(given))
    pictures = [given] if isinstance(given, Image.Image) else given
    if _are_pictures(pictures):
        return Held([_encoded(number, picture) for number, picture in enumerate(pictures)])
    if isinstance(given, Images) and given.ndim == 4:
        return Held(np.asarray(given))
    return Held(_pixels(_array(given), value_range))


def picture_files(given: Given, kind: Kind = "image") -> list[EncodedImage]:
    """Returns anything that `images` takes, but archives and arrays in files, as picture files that are not decoded.

    Of label maps and masks, arrays are whole numbers [n h w].
    """
    if isinstance(given, str | PathLike):
        return pictures_at(Path(given))
    if kind != "image" and not _are_pictures(given):
        return [_encoded(number, Image.fromarray(one)) for number, one in enumerate(_maps(_array(given)))]
    source = _source(given, None)
    assert isinstance(source, Held)
    if not isinstance(source.images, np.ndarray):
        return list(source.images)
    pixels = source.images[..., 0] if source.channels == 1 else source.images
    return [_encoded(number, Image.fromarray(one)) for number, one in enumerate(pixels)]


def _maps(values: np.ndarray) -> np.ndarray:
    """Whole numbers [n h w] in the type that a picture has. Raises DataError for others."""
    if (
        values.dtype.kind not in "biu"
        or values.ndim != 3
        or not values.size
        or values.min() < 0
        or values.max() > 65535
    ):
        raise DataError(
            f"{values.dtype} {list(values.shape)} is no array of label maps or masks; whole numbers from 0 to 65535 "
            "[n h w] are needed, of one map m[None]."
        )
    return values.astype(np.uint8 if values.max() < 256 else np.uint16)


def _are_pictures(given: Any) -> bool:
    one = given[0] if isinstance(given, list | tuple) and given else given
    return isinstance(one, Image.Image)


def _encoded(number: int, picture: Any) -> EncodedImage:
    """A picture as a file, so that it is read by the rules of files."""
    content = BytesIO()
    try:
        picture.save(content, format="PNG", compress_level=1)
    except (AttributeError, OSError):
        kind = getattr(picture, "mode", type(picture).__name__)
        raise DataError(f"picture {number} is of {kind}, which no PNG holds. Give picture.convert('RGB').") from None
    return f"picture {number}", content.getvalue()


def _array(given: Any) -> np.ndarray:
    if isinstance(given, Tensor):
        held = given.detach().cpu()
        return (held.float() if held.is_floating_point() else held).numpy()
    try:
        return np.asarray(given)
    except ValueError:
        raise DataError("images differ in shape; give genpipe.images of each, with one `size`.") from None


def _pixels(values: np.ndarray, value_range: tuple[float | int, float | int] | None) -> np.ndarray:
    """uint8 [n h w c] of an array, by the rules of a data set's arrays. Raises DataError, ConfigError for a range."""
    what = f"{values.dtype} {list(values.shape)}"
    if values.dtype.kind not in "buif" or values.ndim not in (3, 4) or not values.size:
        raise DataError(
            f"{what} is no array of images; numbers [n h w], [n h w c] or [n c h w] are needed, of one image x[None]."
        )
    axis, channels = channel_axis({values.shape[1:]}, what)
    _, *shape = values.shape
    squares = axis == 3 and shape[0] == shape[1] != shape[2]
    if axis == 3 and shape[0] in (1, 3, 4) and not squares and shape != [1, 1, 1]:
        raise DataError(f"of {what} either end may be the channels. Give genpipe.Images, which are uint8 [n h w c].")
    kind = registry.load("data", "arrays").Config
    asked = {"path": "-", "value_range": list(value_range) if value_range else None}
    given = validated(kind, asked, (), Document("genpipe.images", asked)).value_range
    return as_pixels(values, (axis, channels), given, what, _REMEDY)
