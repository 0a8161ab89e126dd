"""Images in a .npz or .npy, uint8, uint16, bool or floats from 0 to 1: Keras's, MedMNIST's, or images and labels."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from io import BufferedIOBase
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from zipfile import BadZipFile, ZipFile

import numpy as np
from pydantic import Field

from genpipe.data._files import located, stamp, watched
from genpipe.data._splitting import CHUNK_IMAGES, parts_of
from genpipe.errors import DataError
from genpipe.interfaces import Chunk, Collection, Source
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
_MAX_LABELS_BYTES = 2**30


class Header(NamedTuple):
    """What a .npy file says of its array."""

    shape: tuple[int, ...]
    columns_first: bool
    dtype: np.dtype


class Arrays(Source):
    """Images in arrays, streamed from their file; nothing in it can run code."""

    class Config(Strict):
        path: Annotated[str, Field(min_length=1)]
        """As the person gave it; a relative one begins at the project's root."""
        test_images: Annotated[int, Field(ge=1)] | None = None
        """How many are held out where the file does not say which; a tenth, if not given."""

    def __init__(self, config: Config, root: Path) -> None:
        self.config, self.path = config, located(config.path, root)

    @property
    def classes(self) -> tuple[str, ...]:
        return () if self._labels is None else tuple(map(str, range(int(self._labels.max()) + 1)))

    @property
    def channels(self) -> int:
        return 1 if self._axes[1] == 1 else 3

    def collection(self, seed: int) -> Collection:
        counts = [self._headers[images].shape[0] for images, _ in self._layout]
        if len(counts) == 2:
            return Collection(self._read, np.repeat([0, 1], counts), self._labels)
        parts = parts_of(self._labels, counts[0], self.config.test_images, seed)
        return Collection(self._read, parts, self._labels)

    @property
    def watched(self) -> str:
        return watched(self.config.path)

    def state(self) -> str:
        return stamp(self.path)

    def _read(self, rows: np.ndarray) -> Iterator[Chunk]:
        first = 0
        for images, _ in self._layout:
            with self._opened(images) as (header, file):
                yield from self._chunks(header, file, rows, first)
            first += header.shape[0]

    def _chunks(self, header: Header, file: BufferedIOBase, rows: np.ndarray, first: int) -> Iterator[Chunk]:
        """The wanted among images that are numbered from `first` on."""
        row_bytes = int(np.prod(header.shape[1:], dtype=np.int64)) * header.dtype.itemsize
        for start in range(0, header.shape[0], CHUNK_IMAGES):
            count = min(CHUNK_IMAGES, header.shape[0] - start)
            content = file.read(count * row_bytes)
            if len(content) < count * row_bytes:
                raise DataError(f"{self.path} ends before its last image: it is damaged.")
            low, high = np.searchsorted(rows, [first + start, first + start + count])
            if high > low:
                pixels = np.frombuffer(content, header.dtype).reshape(count, *header.shape[1:])
                yield Chunk(self._pixels(pixels[rows[low:high] - first - start]))

    def _pixels(self, values: np.ndarray) -> np.ndarray:
        """uint8 [n h w 1 or 3] of what is stored."""
        axis, channels = self._axes
        images = values[..., None] if axis is None else np.moveaxis(values, axis, -1)
        if channels == 4:
            images = _on_white(_levels(images, self.path))
        return np.ascontiguousarray(_levels(images, self.path))

    @cached_property
    def _axes(self) -> tuple[int | None, int]:
        """Which axis of the images holds the channels, and how many there are."""
        shapes = {self._headers[images].shape[1:] for images, _ in self._layout}
        shape = shapes.pop()
        if not shapes and len(shape) == 2:
            return None, 1
        if not shapes and len(shape) == 3 and (shape[2] in (1, 3, 4) or shape[0] in (1, 3, 4)):
            return (3, shape[2]) if shape[2] in (1, 3, 4) else (1, shape[0])
        given = ", ".join(map(str, [shape, *shapes]))
        raise DataError(
            f"{self.path}: images of shape {given}; (height, width), (height, width, 1, 3 or 4) or "
            "(1, 3 or 4, height, width), alike in both splits, is needed."
        )

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
        shape, _, dtype = self._headers[labels]
        count = self._headers[images].shape[0]
        if shape not in ((count,), (count, 1)) or dtype.kind not in "ui" or count * dtype.itemsize > _MAX_LABELS_BYTES:
            raise DataError(f"{self.path}: '{labels}' is {dtype} {shape}; {count} whole numbers are needed.")
        with self._opened(labels) as (_, file):
            values = np.frombuffer(file.read(count * dtype.itemsize), dtype).astype(np.int64)
        if len(values) < count or values.min() < 0 or values.max() >= 1_000_000:
            raise DataError(f"{self.path}: '{labels}' must hold {count} classes, counted from 0.")
        return values

    @cached_property
    def _layout(self) -> tuple[tuple[str, str], ...]:
        for layout in _LAYOUTS:
            if all(images in self._headers for images, _ in layout):
                return layout
        known = "; ".join(", ".join(name for pair in layout for name in pair) for layout in _LAYOUTS[:-1])
        raise DataError(f"{self.path} holds {', '.join(self._headers) or 'nothing'}; understood are {known}.")

    @cached_property
    def _headers(self) -> Mapping[str, Header]:
        """The arrays of the file by name. Raises DataError if it cannot be read."""
        with self._problems():
            names = [""]
            if self._zipped():
                with ZipFile(self.path) as archive:
                    names = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
            headers = {}
            for name in names:
                with self._opened(name) as (header, _):
                    headers[name] = header
            return headers

    def _zipped(self) -> bool:
        with self.path.open("rb") as file:
            return file.read(2) == b"PK"

    @contextmanager
    def _opened(self, name: str) -> Iterator[tuple[Header, BufferedIOBase]]:
        """An array's header and the file behind it."""
        with ExitStack() as stack, self._problems():
            if self._zipped():
                file: Any = stack.enter_context(stack.enter_context(ZipFile(self.path)).open(f"{name}.npy"))
            else:
                file = stack.enter_context(self.path.open("rb"))
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            header = Header(*read(file))
            if header.dtype.hasobject or (header.columns_first and len(header.shape) > 1):
                raise DataError(
                    f"{self.path}: '{name}' holds objects, or is laid out by columns. Save it as C-order uint8."
                )
            yield header, file

    @contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, BadZipFile, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
            raise DataError(f"{self.path} cannot be read as .npz or .npy: {error}.") from None
        except FileNotFoundError:
            raise DataError(f"{self.path} does not exist.") from None


def _levels(values: np.ndarray, path: Path) -> np.ndarray:
    """Values as 256 levels."""
    if values.dtype == np.uint8:
        return values
    if values.dtype == bool:
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return np.rint(values / 257).astype(np.uint8)
    if values.dtype.kind == "f" and values.min() >= 0 and values.max() <= 1:
        return np.rint(values * 255).astype(np.uint8)
    raise DataError(
        f"{path}: images of {values.dtype} from {values.min()} to {values.max()}; "
        "uint8, uint16, bool, or floats from 0 to 1 are understood."
    )


def _on_white(images: np.ndarray) -> np.ndarray:
    """RGBA as RGB, on white."""
    alpha = images[..., 3:].astype(np.uint16)
    return ((images[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
