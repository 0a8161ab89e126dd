"""Preparation of a source as arrays on disk."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from genpipe.config.derivations import with_derived
from genpipe.config.selection import taken, untrained
from genpipe.dataset.decoding import MAX_ASPECT, too_long
from genpipe.dataset.deriving import write_derived
from genpipe.dataset.splitting import known_labels
from genpipe.dataset.storage import ArrayFile, Prepared, field_file, images_file, labels_file, write_meta
from genpipe.dataset.working import Done, Target, Work, cores, done, in_order
from genpipe.errors import DataError
from genpipe.files import atomic_directory
from genpipe.interfaces.sources import KNOWN_LABEL, SPLITS, Chunk, Collection, Source, fields_of
from genpipe.interfaces.spec import DataSpec, FieldSpec, ImageSize, sides
from genpipe.schema import Strict

CHUNK_BYTES = 4 * 2**20
"""No more finished pixels than this travel between processes at once."""
Shown = Callable[[int, int], None]
"""Called with the number of finished images and of all images."""


def prepare(
    source: Source,
    *,
    image_size: ImageSize,
    resize_mode: str,
    seed: int,
    folder: Path,
    channels: int | None = None,
    max_images: int | None = None,
    horizontal_flip: bool = False,
    skip_broken: bool = False,
    binarize: str | None = None,
    exclude_classes: Sequence[str | int] = (),
    num_labels: int | None = None,
    derive: Mapping[str, Strict] = MappingProxyType({}),
    workers: int | None = None,
    shown: Shown = lambda images, of: None,
) -> Prepared:
    """Reads a source once, chunk by chunk, and writes its splits: uint8 images [n c h w], labels and fields.

    Of the classes in `exclude_classes` no training image is taken; `num_labels` is how many labels a model may
    know; fields in `derive` are made of finished images. The same images come in the same order for any number of
    workers. Raises DataError for a broken picture, unless `skip_broken`, and for what the source did not announce.
    """
    collection, broken = source.collection(seed), list[str]()
    spec = with_derived(_spec(source, image_size, channels, binarize, num_labels), derive)
    rows = taken(collection, source.classes, exclude_classes, max_images, seed)
    with atomic_directory(folder) as temporary:
        with Writer(temporary, collection) as writer:
            target = Target(image_size, spec.channels, resize_mode, seed, binarize, fields_of(source, image_size, None))
            for piece in finished(collection, rows, target, cores() if workers is None else workers):
                broken += _left_out(piece, skip_broken, folder.name)
                writer.write(piece)
                shown(writer.count + len(broken), len(rows))
        writer.verify(len(rows) - len(broken))
        _write_known_labels(temporary, len(spec.classes), num_labels, seed)
        random = write_derived(temporary, spec, derive, seed)
        more: dict[str, Any] = {"unused_images": collection.unused_images, "random_fields": random}
        write_meta(temporary, _noted(temporary, spec), horizontal_flip=horizontal_flip, broken=broken, **more)
    return Prepared.open(folder)


def _spec(
    source: Source, image_size: ImageSize, channels: int | None, binarize: str | None, num_labels: int | None
) -> DataSpec:
    levels, fields = 2 if binarize else 256, fields_of(source, image_size, num_labels)
    return DataSpec(channels or source.channels, *sides(image_size), source.classes, levels, fields=fields)


def _noted(folder: Path, spec: DataSpec) -> DataSpec:
    """What the images are, with the classes that were not trained on."""
    return replace(spec, untrained=_untrained(folder, spec))


def _untrained(folder: Path, spec: DataSpec) -> tuple[int, ...]:
    """The classes without images in the training split as it was written."""
    if not all(labels_file(folder, split).exists() for split in SPLITS):
        return ()
    counts = [np.bincount(np.load(labels_file(folder, split)), minlength=len(spec.classes)) for split in SPLITS]
    return untrained(np.stack(counts, axis=1))


def _write_known_labels(folder: Path, class_count: int, count: int | None, seed: int) -> None:
    """Notes which labels of training images are known, as a field, if only some are to be."""
    if count is None:
        return
    if not labels_file(folder, "train").exists():
        raise DataError("num_labels says how many labels are known, but the source has none. Leave it out.")
    rows = known_labels(np.load(labels_file(folder, "train")), class_count, count, seed)
    np.save(field_file(folder, "train", KNOWN_LABEL), rows)


def finished(collection: Collection, rows: np.ndarray, target: Target, workers: int) -> Iterator[Done]:
    """Yields the images with these numbers, decoded and resized, in order."""
    return in_order(done, _works(collection.read(rows), rows, target), workers)


def _works(chunks: Iterable[Chunk], rows: np.ndarray, target: Target) -> Iterator[Work]:
    values = prod(sides(target.image_size)) * target.channels + sum(
        spec.values for spec in (target.fields or {}).values()
    )
    first, most = 0, max(1, CHUNK_BYTES // values)
    for chunk in chunks:
        _verify(chunk, first, len(rows))
        if target.fields is not None:
            _verify_fields(chunk, target.fields)
        for start in range(0, len(chunk.images), most):
            some = slice(start, start + most)
            fields = {name: values[some] for name, values in chunk.fields.items()}
            images = chunk.images[some]
            yield Work(images, rows[first : first + len(images)], fields, target)
            first += len(images)


def _verify(chunk: Chunk, first: int, count: int) -> None:
    images, shown, fine = chunk.images, f"{len(chunk.images)} files", True
    if isinstance(images, np.ndarray):
        shown = f"{images.dtype} {images.shape}"
        fine = images.dtype == np.uint8 and images.ndim == 4 and images.shape[3] in (1, 2, 3)
    if not fine or first + len(images) > count:
        raise DataError(
            f"a chunk of {shown} came after {first} of {count} images; uint8 [n h w c] of 1 to 3 channels is needed, "
            f"{count} images in all."
        )
    if isinstance(images, np.ndarray) and too_long(*images.shape[1:3]):
        height, width = images.shape[1:3]
        raise DataError(f"of images of {width}×{height} pixels one side is more than {MAX_ASPECT} times the other.")


def _verify_fields(chunk: Chunk, declared: Mapping[str, FieldSpec]) -> None:
    """Raises DataError unless a chunk has exactly these fields, with a row for each image."""
    if undeclared := [name for name in chunk.fields if name not in declared]:
        raise DataError(
            f"images came with '{undeclared[0]}', which is no field that the source declares. Name it in `fields`."
        )
    if isinstance(chunk.images, np.ndarray) and not all(isinstance(v, np.ndarray) for v in chunk.fields.values()):
        raise DataError("images came as pixels and a field as picture files; give both as arrays, or both as files.")
    for name in declared:
        rows, images = len(chunk.fields.get(name, ())), len(chunk.images)
        if rows != images:
            raise DataError(f"{images} images came with {rows} rows of the field '{name}'; a row per image is needed.")


class Writer:
    """Writes the arrays of a data set image by image."""

    def __init__(self, folder: Path, collection: Collection) -> None:
        self.folder, self.collection, self.count = folder, collection, 0
        self._files: dict[Path, ArrayFile] = {}
        self._open = ExitStack()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def write(self, piece: Done) -> None:
        """Adds each image to the split that it is in."""
        self.count += len(piece.images)
        parts = self.collection.splits[piece.rows]
        for part in np.unique(parts):
            mine = parts == part
            split = SPLITS[part]
            self._append(images_file(self.folder, split), piece.images[mine])
            if self.collection.labels is not None:
                self._append(labels_file(self.folder, split), self.collection.labels[piece.rows][mine].astype(np.int64))
            for name, values in piece.fields.items():
                self._append(field_file(self.folder, split, name), values[mine])

    def verify(self, count: int) -> None:
        """Raises DataError if not so many images have come, or none for a split."""
        if self.count != count:
            raise DataError(f"{count} images were announced; {self.count} came.")
        empty = [split for split in SPLITS if images_file(self.folder, split) not in self._files]
        if empty:
            raise DataError(f"no image is left for the {empty[0]} split: there are {count} in all.")

    def _append(self, path: Path, rows: np.ndarray) -> None:
        if path not in self._files:
            self._files[path] = ArrayFile(path)
            self._open.callback(self._files[path].close)
        self._files[path].append(rows)


def _left_out(piece: Done, allowed: bool, data: str) -> list[str]:
    """The broken pictures of a chunk with the reasons. Raises DataError unless they may be left out."""
    if piece.broken and not allowed:
        raise DataError(_complaint(piece.broken, data))
    return [f"{name}: {why}" for name, why in piece.broken]


def _complaint(broken: list[tuple[str, str]], data: str) -> str:
    named = "; ".join(f"{name}: {why}" for name, why in broken[:5])
    more = f"; and {len(broken) - 5} more" if len(broken) > 5 else ""
    return (
        f"broken pictures: {named}{more}. Mend or remove them (`genpipe data inspect {data}` names all), "
        f"or leave them out with `skip_broken: true` in datasets.{data} of params.yaml."
    )
