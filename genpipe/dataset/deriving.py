"""Fields that are made of finished images: stored beside them, or drawn for each training batch."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from jaxtyping import UInt8

from genpipe import registry
from genpipe.config.derivations import derivation, field_name
from genpipe.config.document import Document
from genpipe.config.validation import validated
from genpipe.dataset.fields import verify_values
from genpipe.dataset.storage import ArrayFile, Prepared, field_file, images_file
from genpipe.errors import DataError
from genpipe.interfaces.derivations import Derivation
from genpipe.interfaces.sources import SPLITS
from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.schema import Strict

_CHUNK_BYTES = 4 * 2**20
"""No more images than this, or one, are worked on at once."""


@dataclass(frozen=True)
class DerivedField:
    """A field that is made of images; what is random in it depends on a seed, its name and the places of the images."""

    name: str
    derivation: Derivation
    seed: int

    @property
    def spec(self) -> FieldSpec:
        """The description of the field."""
        return self.derivation.field

    def rows(self, images: UInt8[np.ndarray, "n c h w"], places: Sequence[int], batch: int | None = None) -> np.ndarray:
        """Returns the field [n, *spec.shape] of the images at these places of a batch, or of their split.

        Raises DataError if it is not what the derivation says of it.
        """
        found, spec = self.derivation.rows(images, self._rngs(places, batch)), self.spec
        levels = spec.kind in ("image", "frames", "mask")
        if found.shape != (len(images), *spec.shape) or (levels and found.dtype != np.uint8):
            needed = f"{'uint8 ' if levels else ''}{(len(images), *spec.shape)}"
            raise DataError(f"the derivation '{self.name}' made {found.dtype} {found.shape}; {needed} is needed.")
        verify_values(self.name, found, spec)
        return found

    def _rngs(self, places: Sequence[int], batch: int | None) -> list[np.random.Generator]:
        """A generator for each image, none if nothing is random; each counts in a stretch of its own.

        The counters are those of Philox (Salmon et al. 2011, doi:10.1145/2063384.2063405), which needs no start-up.
        """
        if not self.derivation.random:
            return []
        key, number = self.seed + (crc32(self.name.encode()) << 64), 0 if batch is None else batch + 1
        counters = [[0, 0, place, number] for place in places]
        return [np.random.Generator(np.random.Philox(key=key, counter=counter)) for counter in counters]


def write_derived(folder: Path, spec: DataSpec, configs: Mapping[str, Strict], seed: int) -> dict[str, dict[str, Any]]:
    """Writes the fields of finished images beside them, of random ones those of held-out images alone.

    Returns the knobs of those that are random, by derivation.
    """
    random = {}
    for name, config in configs.items():
        made = DerivedField(field_name(name), derivation(name, config, spec), seed)
        if made.derivation.random:
            random[name] = config.model_dump(mode="json")
        for split in ("test",) if made.derivation.random else SPLITS:
            _write(made, np.load(images_file(folder, split), mmap_mode="r"), field_file(folder, split, made.name))
    return random


def _write(made: DerivedField, images: np.ndarray, path: Path) -> None:
    step = max(1, _CHUNK_BYTES // images[0].nbytes)
    file = ArrayFile(path)
    try:
        for first in range(0, len(images), step):
            some = np.array(images[first : first + step])
            file.append(made.rows(some, range(first, first + len(some))))
    finally:
        file.close()


def drawn_fields(prepared: Prepared, names: Collection[str], seed: int) -> dict[str, DerivedField]:
    """Returns those of the fields that are drawn anew for each training batch, by name."""
    found = {}
    for name, knobs in prepared.random_fields.items():
        if (field := field_name(name)) in names:
            document = Document(str(prepared.folder / "meta.json"), {"random_fields": prepared.random_fields})
            schema = registry.load("derivations", name).Config
            config = validated(schema, knobs, ("random_fields", name), document)
            found[field] = DerivedField(field, derivation(name, config, prepared.spec), seed)
    return found
