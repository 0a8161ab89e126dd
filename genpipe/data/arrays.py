"""Images in a .npz or .npy: Keras's, MedMNIST's, or images and labels, as levels, two levels or any numbers."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from io import BufferedIOBase
from math import isfinite
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, field_validator

from genpipe.dataset.picture_files import located, stamp, watched_path
from genpipe.dataset.splitting import CHUNK_IMAGES, splits_of
from genpipe.errors import DataError, shortened
from genpipe.files import ArrayHeader, array_names, opened_array, read_array
from genpipe.interfaces.sources import Chunk, Collection, Source
from genpipe.schema import Strict

_LAYOUTS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("x_train", "y_train"), ("x_test", "y_test")),
    (("train_images", "train_labels"), ("test_images", "test_labels")),
    (("images", "labels"),),
    (("x", "y"),),
    (("data", "labels"),),
    (("arr_0", "arr_1"),),
    (("", ""),),
)
"""Names of images and labels, the training part first; a .npy has one array without a name."""
_NAMES = {name for layout in _LAYOUTS for pair in layout for name in pair}
MAX_IMAGES = 2**24
MAX_IMAGE_BYTES = 2**28
"""More than that is taken for a damaged header: the labels of all images and some images have to fit into memory."""
_SHAPES = "(height, width), (height, width, 1, 3 or 4) or (1, 3 or 4, height, width), alike in both splits, is needed"
_CHUNK_BYTES = 4 * 2**20
_UNCERTAIN = "which values are black and white is not certain"
_REMEDY = "Say it in a data set, `value_range: [BLACK, WHITE]`, or save the images as uint8 from 0 to 255."
_CERTAIN: dict[str, tuple[float, float]] = {"b": (0, 1), "f": (0, 1), "u1": (0, 255)}
"""What is black and what is white, by the kind of numbers; it has to be said of all others."""


class Arrays(Source):
    """Images in arrays, streamed from their file; nothing in it can run code."""

    class Config(Strict):
        path: Annotated[str, Field(min_length=1)]
        """As the person gave it; a relative one begins at the project's root."""
        test_images: Annotated[int, Field(ge=1)] | None = None
        """How many are held out where the file does not say which; a tenth, if not given."""
        value_range: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
        """The values of black and of white: [0, 65535]. Not needed for uint8, bool, and floats from 0 to 1."""

        @field_validator("value_range")
        @classmethod
        def _rises(cls, values: list[float] | None) -> list[float] | None:
            if values and not (values[0] < values[1] and isfinite(values[1] - values[0])):
                raise ValueError("the value of black comes first, then a larger one, that of white")
            return values

    def __init__(self, config: Config, root: Path) -> None:
        self.config, self.path = config, located(config.path, root)

    @property
    def classes(self) -> tuple[str, ...]:
        return () if self._labels is None else tuple(map(str, range(int(self._labels.max()) + 1)))

    @property
    def channels(self) -> int:
        return 1 if self._axes[1] == 1 else 3

    def collection(self, seed: int) -> Collection:
        counts = [header.shape[0] for header in self._images]
        if len(counts) == 2:
            return Collection(self._read, np.repeat([0, 1], counts), self._labels)
        parts = splits_of(self._labels, counts[0], self.config.test_images, seed)
        return Collection(self._read, parts, self._labels)

    @property
    def watched_paths(self) -> tuple[str, ...]:
        return (watched_path(self.config.path),)

    def state(self) -> str:
        return stamp(self.path)

    def _read(self, rows: np.ndarray) -> Iterator[Chunk]:
        first = 0
        for images, _ in self._layout:
            with opened_array(self.path, images) as (header, file):
                yield from self._chunks(header, file, rows, first)
            first += header.shape[0]

    def _chunks(self, header: ArrayHeader, file: BufferedIOBase, rows: np.ndarray, first: int) -> Iterator[Chunk]:
        """The wanted among images that are numbered from `first` on."""
        row_bytes = header.size_bytes // header.shape[0]
        most = max(1, min(CHUNK_IMAGES, _CHUNK_BYTES // row_bytes))
        for start in range(0, header.shape[0], most):
            count = min(most, header.shape[0] - start)
            content = file.read(count * row_bytes)
            if len(content) < count * row_bytes:
                raise DataError(f"{self.path} ends before its last image: it is damaged.")
            low, high = np.searchsorted(rows, [first + start, first + start + count])
            if high > low:
                pixels = np.frombuffer(content, header.dtype).reshape(count, *header.shape[1:])
                yield Chunk(self._pixels(pixels[rows[low:high] - first - start]))

    def _pixels(self, values: np.ndarray) -> np.ndarray:
        """uint8 [n h w 1 or 3] of what is stored."""
        return as_pixels(values, self._axes, self.config.value_range, str(self.path), _REMEDY)

    @cached_property
    def _axes(self) -> tuple[int | None, int]:
        return channel_axis({header.shape[1:] for header in self._images}, str(self.path))

    @cached_property
    def _labels(self) -> np.ndarray | None:
        found = [self._labels_of(*names) for names in self._layout]
        given = [labels for labels in found if labels is not None]
        if given and len(given) < len(found):
            raise DataError(f"{self.path}: one split has labels and the other none. Give both, or none.")
        return np.concatenate(given) if given else None

    def _labels_of(self, images: str, labels: str) -> np.ndarray | None:
        if not labels or labels not in self._headers:
            return None
        (count, *_), (shape, _, dtype) = self._headers[images].shape, self._headers[labels]
        if shape not in ((count,), (count, 1)) or dtype.kind not in "ui":
            raise DataError(f"{self.path}: '{labels}' is {_brief(dtype, shape)}; {count} whole numbers are needed.")
        values = read_array(self.path, labels).ravel()
        if values.min() < 0 or values.max() >= 1_000_000:
            raise DataError(f"{self.path}: '{labels}' must hold {count} classes, counted from 0.")
        return values.astype(np.int64)

    @cached_property
    def _images(self) -> list[ArrayHeader]:
        """The arrays of images, the training part first. Raises DataError if one of them holds none, or too many."""
        for name, _ in self._layout:
            shape, by_columns, dtype = header = self._headers[name]
            count = shape[0] if shape else 0  # a single number has no shape
            if dtype.kind not in "buif":
                wrong = "numbers are needed"
            elif len(shape) not in (3, 4):
                wrong = f"images of shape {shape[1:]}; {_SHAPES}"
            elif by_columns:
                wrong = "it is laid out by columns. Save it in C order"
            elif not 0 < count <= MAX_IMAGES or not 0 < header.size_bytes // count <= MAX_IMAGE_BYTES:
                wrong = f"1 to {MAX_IMAGES:,} images of 1 to {MAX_IMAGE_BYTES:,} bytes are allowed"
            else:
                continue
            raise DataError(f"{self.path}: '{name}' is {_brief(dtype, shape)}; {wrong}.")
        return [self._headers[name] for name, _ in self._layout]

    @cached_property
    def _layout(self) -> tuple[tuple[str, str], ...]:
        for layout in _LAYOUTS:
            if all(images in self._headers for images, _ in layout):
                return layout
        known = "; ".join(", ".join(name for pair in layout for name in pair) for layout in _LAYOUTS[:-1])
        held = shortened(", ".join(array_names(self.path))) or "nothing"
        raise DataError(f"{self.path} holds {held}; understood are {known}.")

    @cached_property
    def _headers(self) -> Mapping[str, ArrayHeader]:
        """The arrays of the file by name, if it is one that means something. Raises DataError if it cannot be read."""
        headers = {}
        for name in filter(_NAMES.__contains__, array_names(self.path)):
            with opened_array(self.path, name) as (header, _):
                headers[name] = header
        return headers


def channel_axis(shapes: set[tuple[int, ...]], what: str) -> tuple[int | None, int]:
    """Which axis of images, of which `what` says whose they are, holds the channels, and how many there are."""
    first, *more = shapes
    if not more and len(first) == 2:
        return None, 1
    if not more and len(first) == 3 and (first[2] in (1, 3, 4) or first[0] in (1, 3, 4)):
        return (3, first[2]) if first[2] in (1, 3, 4) else (1, first[0])
    raise DataError(f"{what}: images of shape {', '.join(map(str, [first, *more]))}; {_SHAPES}.")


def as_pixels(
    values: np.ndarray, axes: tuple[int | None, int], value_range: Sequence[float] | None, what: str, remedy: str
) -> np.ndarray:
    """uint8 [n h w 1 or 3] of images of any numbers, on white where they are transparent.

    Raises DataError if it is not certain, or not so, which of them are black and white; `remedy` says how to say it.
    """
    axis, channels = axes
    levels = _levels(values, value_range, what, remedy)
    images = levels[..., None] if axis is None else np.moveaxis(levels, axis, -1)
    return np.ascontiguousarray(_on_white(images) if channels == 4 else images)


def _levels(values: np.ndarray, given: Sequence[float] | None, what: str, remedy: str) -> np.ndarray:
    lowest, highest = values.min(), values.max()
    known = given or _CERTAIN.get(values.dtype.kind) or _CERTAIN.get(values.dtype.str[1:])
    if known is None or not (known[0] <= lowest and highest <= known[1]):
        why = f"value_range is {given}" if given else _UNCERTAIN
        raise DataError(f"{what}: images of {values.dtype} from {lowest} to {highest}; {why}. {remedy}")
    if given is None and values.dtype == np.uint8:
        if highest == 1:
            raise DataError(f"{what}: images of {values.dtype} of 0 and 1 alone; {_UNCERTAIN}. {remedy}")
        return values
    black, white = known
    numbers = values.astype(np.result_type(values.dtype, np.float32))
    return np.rint((numbers - black) / (white - black) * 255).astype(np.uint8)


def _brief(dtype: np.dtype, shape: tuple[int, ...]) -> str:
    return shortened(f"{dtype} {shape}")


def _on_white(images: np.ndarray) -> np.ndarray:
    """RGBA as RGB, on white."""
    alpha = images[..., 3:].astype(np.uint16)
    return ((images[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
