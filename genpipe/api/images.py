"""Images in a notebook: arrays that show themselves as a grid, made of arrays, tensors, pictures or files."""

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
from genpipe.config import Dataset
from genpipe.data.arrays import as_pixels, channel_axis
from genpipe.document import Document
from genpipe.errors import DataError, UnknownName, UsageError
from genpipe.interfaces import Encoded, Source
from genpipe.nn.pictures import grid
from genpipe.reading import Held, Reading, read, source_at
from genpipe.sampling import save_picture
from genpipe.validation import validated

Given: TypeAlias = np.ndarray | Tensor | Image.Image | Sequence[Any] | str | PathLike[str]
"""What images are made of: see `images`."""
SHOWN = 400
"""So many images a notebook shows, the first of them; `save` writes all."""
_CHANNELS = (1, 2, 3)
_REMEDY = "Say it: genpipe.images(…, value_range=(BLACK, WHITE)); or give uint8 from 0 to 255."


class Images(np.ndarray[Any, np.dtype[np.uint8]]):
    """Images as uint8 [n h w c], which a notebook shows as a grid.

    `some[3]` is one of them, [h w c]; what is computed from them is a plain array. c is 1 for grey, 3 for colour, 2
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
        """Images of uint8 [n c h w], as models and metrics have them."""
        return cls(np.moveaxis(np.asarray(planes), 1, -1))

    @property
    def planes(self) -> np.ndarray:
        """The images as uint8 [n c h w]."""
        return np.ascontiguousarray(np.moveaxis(np.asarray(self), -1, 1))

    def picture(self, columns: int | None = None) -> np.ndarray:
        """One picture, uint8 [H W c], of all images in rows; as square as it gets, if not said otherwise."""
        planes = Images(self.reshape(-1, *self.shape[-3:])).planes
        return grid(planes, columns or int(np.ceil(np.sqrt(len(planes)))))

    def save(self, path: str | PathLike[str], columns: int | None = None) -> None:
        """Writes that picture as PNG; replaces a file that is there. Raises UsageError if its name ends otherwise."""
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
    size: int | None = None,
    channels: int | None = None,
    fit: str = "crop",
    value_range: tuple[float | int, float | int] | None = None,
    skip_broken: bool = False,
) -> Images:
    """Images of whatever has some: an array, a tensor, a picture or a list of pictures, or the path of files.

    Arrays are [n h w], [n h w c] or [n c h w] with 1, 3 or 4 channels: uint8 from 0 to 255, bool, floats from 0 to 1,
    or any numbers with `value_range`, the values of black and of white: (-1, 1). A path is that of a picture, a folder,
    an archive, a .npy or a .npz. All are made `size` pixels wide and high, square by `fit` ("crop", "pad", "stretch"),
    and grey (`channels` 1) or coloured (3); as they are, if not given. Files that cannot be read are left out with
    `skip_broken`. Raises DataError or UsageError for what is no such thing, or not certain.
    """
    if isinstance(given, Images) and given.ndim == 4 and size is None and channels is None:
        return given
    kinds = get_args(Dataset.model_fields["fit"].annotation)
    if fit not in kinds:
        raise UnknownName(fit, "way to make images square", kinds)
    with TemporaryDirectory(prefix="genpipe-") as scratch, in_python():
        reading = Reading(size, channels, fit, skip_broken, warn)
        return Images.of_planes(np.array(read(_source(given, value_range), reading, Path(scratch) / "read.npy").images))


def _source(given: Given, value_range: tuple[float | int, float | int] | None) -> Source:
    if isinstance(given, str | PathLike):
        if value_range is not None:
            raise UsageError("value_range is for arrays in memory; give genpipe.images(numpy.load(…), value_range=…).")
        if not Path(given).exists():
            raise DataError(f"there is no {given}; give the path of a folder, an archive, a picture or an array.")
        return source_at(Path(given))
    pictures = [given] if isinstance(given, Image.Image) else given
    if isinstance(pictures, list | tuple) and pictures and isinstance(pictures[0], Image.Image):
        return Held([_encoded(number, picture) for number, picture in enumerate(pictures)])
    if isinstance(given, Images) and given.ndim == 4:
        return Held(np.asarray(given))
    return Held(_pixels(_array(given), value_range))


def _encoded(number: int, picture: Any) -> Encoded:
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
