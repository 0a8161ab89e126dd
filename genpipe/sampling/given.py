"""Conditions that people give: pictures, made one size as training images are, or rows as data sets store them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, UInt8

from genpipe.config.derivations import derivation, field_name
from genpipe.dataset.decoding import colored
from genpipe.dataset.deriving import DerivedField
from genpipe.dataset.fields import verify_values
from genpipe.dataset.maps import VOID
from genpipe.dataset.reading import Held, Reading, readable
from genpipe.dataset.working import Target
from genpipe.errors import DataError, UnknownName, UsageError
from genpipe.interfaces.sources import EncodedField, EncodedImage, MapFile
from genpipe.interfaces.spec import VOID_LABEL, DataSpec, FieldSpec
from genpipe.interfaces.translation import IMAGE
from genpipe.sampling.conditions import Conditions, kinds_of
from genpipe.schema import Strict


@dataclass(frozen=True)
class GivenConditions(Conditions):
    """Conditions in memory."""

    fields: Mapping[str, np.ndarray]
    """Their parts by name, a row for each item, as a data set stores them."""

    @classmethod
    def of(cls, fields: Mapping[str, np.ndarray], spec: DataSpec, draws: int) -> "GivenConditions":
        """Returns each of these rows `draws` times in succession."""
        n = len(next(iter(fields.values())))
        return cls(kinds_of(list(fields), spec), np.repeat(np.arange(n), draws), fields)

    def stored(self, name: str) -> np.ndarray:
        return self.fields[name]


class ReadPictures(NamedTuple):
    """Pictures that were read and made one size."""

    names: list[str]
    rows: Int[np.ndarray, "n"]
    """The number of each picture among those that were given; broken ones may be left out."""
    fields: dict[str, np.ndarray]
    """What they are, by name, as a data set stores it; `x` are images."""


@dataclass(frozen=True)
class ConditionReader:
    """Makes the conditions of a model of picture files."""

    name: str
    """The name of the model for messages."""
    spec: DataSpec
    resize_mode: str | None
    """How images were made one size for the training; None: it is not known, and pictures need to have that size."""
    derivations: Mapping[str, Strict]
    """The knobs of the fields that its data set makes of images."""
    reading: Reading

    def read(
        self,
        needed: Sequence[str],
        pictures: Sequence[EncodedImage],
        masks: Sequence[EncodedField] | None = None,
        *,
        derive: bool = False,
        seed: int = 0,
    ) -> ReadPictures:
        """Returns the needed parts of conditions: `x` are the pictures, and another field the masks.

        Without `x`, pictures are of the one field that is needed. To derive means that they are images of which fields
        are made as in the data set; the seed is that of random ones. Raises DataError for pictures that cannot be read
        or are of no use, UsageError if something is missing.
        """
        fields = [name for name in needed if name != IMAGE]
        if derive and masks is not None:
            raise UsageError("give either --masks, or --derive, which makes them as the data set does.")
        if derive and not fields:
            raise UsageError(
                f"{self.name} makes images of images, and nothing is derived from them. Leave out --derive."
            )
        if derive:
            makers = [self._maker(field, seed) for field in fields]
            found = self._images(pictures, {})
            made = {maker.name: maker.rows(found.fields[IMAGE], found.rows.tolist()) for maker in makers}
            return found._replace(fields={name: made.get(name, found.fields[IMAGE]) for name in needed})
        if IMAGE not in needed:
            (field,) = fields
            return self._of_field(field, pictures)
        if fields and masks is None:
            raise UsageError(
                f"{self.name} needs '{fields[0]}' of each picture: give --masks, or --derive, which makes them as the "
                "data set does."
            )
        return self._images(pictures, {field: masks for field in fields if masks is not None})

    def derivable(self, field: str) -> bool:
        """Whether the data set makes a field of its images."""
        return field in map(field_name, self.derivations)

    def _maker(self, field: str, seed: int) -> DerivedField:
        name = next((name for name in self.derivations if field_name(name) == field), None)
        if name is None:
            known = ", ".join(map(field_name, self.derivations)) or "nothing"
            raise UsageError(
                f"'{field}' is not derived from images here: for {self.name} there is `derive` of {known}. Leave out "
                f"--derive, and give '{field}' itself."
            )
        return DerivedField(field, derivation(name, self.derivations[name], self.spec), seed)

    def _images(self, pictures: Sequence[EncodedImage], beside: Mapping[str, Sequence[EncodedField]]) -> ReadPictures:
        if self.spec.channels == 1 and any(colored(content) for _, content in pictures):
            self.reading.told(f"colors are made gray, for {self.name} is trained on gray images.")
        found = self._read(pictures, self.spec.shape, beside)
        for name, rows in found.fields.items():
            if name != IMAGE and self.spec.fields[name].kind == "mask":
                self._verify_masks(found.names, rows)
        return found

    def _of_field(self, name: str, pictures: Sequence[EncodedImage]) -> ReadPictures:
        """The pictures of a field."""
        spec = self.spec.fields[name]
        if spec.kind == "image" and spec.shape[0] in (1, 3):
            found = self._read(pictures, (3, *spec.shape[1:]), {})
            rows = found.fields[IMAGE] if spec.shape[0] == 3 else self._gray(name, found)
        elif spec.kind in ("label_map", "mask"):
            void = VOID if spec.names[-1:] == (VOID_LABEL,) else None
            maps = [(picture, MapFile(content, void)) for picture, content in pictures]
            found = self._read(pictures, (1, *spec.shape[-2:]), {name: maps})
            rows = found.fields[name]
        else:
            what = f"'{name}', {spec.kind} {list(spec.shape)}"
            raise UsageError(f"{self.name} makes images of {what}, which a picture cannot hold. MLflow can serve it.")
        return found._replace(fields={name: rows})

    def _gray(self, name: str, found: ReadPictures) -> UInt8[np.ndarray, "n 1 h w"]:
        """One channel of pictures without colors. Raises DataError for those that have some."""
        rows = found.fields[IMAGE]
        has_colors = (rows != rows[:, :1]).any(axis=(1, 2, 3))
        if has_colors.any():
            other = ", or with --derive the images that it is made of" if self.derivable(name) else ""
            raise DataError(
                f"{found.names[int(has_colors.argmax())]} has colors, and '{name}', of which {self.name} makes images, "
                f"is gray. Give gray pictures{other}."
            )
        return rows[:, :1]

    def _read(
        self,
        pictures: Sequence[EncodedImage],
        shape: tuple[int, ...],
        beside: Mapping[str, Sequence[EncodedField]],
    ) -> ReadPictures:
        described = {name: self.spec.fields[name] for name in beside}
        target = Target((shape[1], shape[2]), shape[0], self.resize_mode or "crop", fields=described)
        pieces = list(readable(Held(pictures, beside).collection(0), target, self.reading))
        rows, sizes = (np.concatenate([getattr(piece, part) for piece in pieces]) for part in ("rows", "sizes"))
        names = [pictures[row][0] for row in rows.tolist()]
        self._verify_sizes(names, sizes, shape[1:])
        fields = {name: np.concatenate([piece.fields[name] for piece in pieces]) for name in beside}
        return ReadPictures(names, rows, {IMAGE: np.concatenate([piece.images for piece in pieces]), **fields})

    def _verify_sizes(self, names: Sequence[str], sizes: np.ndarray, needed: tuple[int, ...]) -> None:
        """Raises DataError if pictures should have been of one size: none is made smaller to be enlarged."""
        smaller = needed != self.spec.shape[1:]
        other = (sizes != needed).any(axis=1)
        if (smaller or self.resize_mode is None) and other.any():
            place = int(other.argmax())
            given, wanted = ("×".join(map(str, size)) for size in (sizes[place].tolist(), needed))
            instead = " Larger ones are made so small with --derive." if smaller and self.derivations else ""
            raise DataError(
                f"{names[place]} has {given} pixels (height×width), and {self.name} takes pictures of {wanted}. "
                f"Resize it.{instead}"
            )

    def _verify_masks(self, names: Sequence[str], masks: UInt8[np.ndarray, "n 1 h w"]) -> None:
        covered = masks.mean(axis=(1, 2, 3))
        if (useless := (covered == 0) | (covered == 1)).any():
            place = int(useless.argmax())
            told = "all" if covered[place] else "nothing"
            raise DataError(
                f"the mask of {names[place]} covers {told} of the part that {self.name} gets, when it is made the size "
                "of training images. Give another mask."
            )


def stored_parts(needed: Sequence[str], given: Mapping[str, Any], spec: DataSpec) -> dict[str, np.ndarray]:
    """Returns the parts of conditions as a data set stores them, of nested lists or arrays [n …] of whole numbers.

    Raises UnknownName, UsageError or DataError if they are not what is needed.
    """
    if unknown := [name for name in given if name not in needed]:
        raise UnknownName(unknown[0], "part of a condition of this model", needed)
    if missing := [name for name in needed if name not in given]:
        raise UsageError(f"a condition of this model needs {', '.join(needed)}; '{missing[0]}' is missing.")
    fields = {IMAGE: FieldSpec("image", spec.shape), **spec.fields}
    parts = {name: _stored(name, given[name], fields[name]) for name in needed}
    counts = {name: len(rows) for name, rows in parts.items()}
    if len(set(counts.values())) > 1:
        raise DataError(f"the parts of conditions have {counts} rows; each item needs one row of each.")
    return parts


def _stored(name: str, values: Any, spec: FieldSpec) -> np.ndarray:
    try:
        rows = np.asarray(values)
    except ValueError:
        raise DataError(f"'{name}' has lists of unequal lengths; {['n', *spec.shape]} is needed.") from None
    kinds = "biuf" if spec.kind == "number" else "biu"
    if rows.dtype.kind not in kinds or rows.shape[1:] != spec.shape or not len(rows):
        numbers = "numbers" if "f" in kinds else "whole numbers"
        raise DataError(f"'{name}' is {rows.dtype} {list(rows.shape)}; {numbers} {['n', *spec.shape]} are needed.")
    if spec.kind not in ("image", "frames"):
        verify_values(name, rows, spec)
        return rows
    if not 0 <= rows.min() <= rows.max() <= 255:
        raise DataError(f"'{name}' has values from {rows.min()} to {rows.max()}; images have 0 to 255.")
    return rows.astype(np.uint8)
