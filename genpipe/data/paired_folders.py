"""Your own pairs in folders: pictures, and beside them pictures, label maps or masks of the same names."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from genpipe.dataset.maps import MAX_LABELS, VOID, LabelCounts, label_counts, labels_of
from genpipe.dataset.pairing import partners, without_partner
from genpipe.dataset.picture_files import OwnFiles, PictureFiles, located, remembered, watched_path
from genpipe.dataset.picture_folders import FolderPictures
from genpipe.dataset.splitting import pieces
from genpipe.dataset.working import cores
from genpipe.errors import DataError
from genpipe.interfaces.sources import KNOWN_LABEL, Chunk, EncodedField, EncodedImage, MapFile
from genpipe.interfaces.spec import FIELD_NAME, VOID_LABEL, FieldSpec
from genpipe.schema import Strict

_ONLY = {"labels": "label_map", "void": "label_map", "threshold": "mask"}
"""The kind of field that a knob is for."""
Label = Annotated[int, Field(ge=0, lt=MAX_LABELS)]


class FieldFolder(Strict):
    """A folder with a picture for each image."""

    path: Annotated[str, Field(min_length=1)]
    kind: Literal["image", "label_map", "mask"]
    labels: Annotated[int, Field(ge=2, le=MAX_LABELS)] | Annotated[list[str], Field(min_length=2)] | None = None
    """How many labels there are, or their names from 0 on; they are counted if this is not given."""
    void: Label | None = None
    """The number of pixels without a label, which becomes the last label. Default: 255, if labels are counted."""
    threshold: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """The lowest gray level that becomes 1, if a mask has more than two levels."""

    @model_validator(mode="after")
    def _of_its_kind(self) -> Any:
        for knob, kind in _ONLY.items():
            if getattr(self, knob) is not None and self.kind != kind:
                raise ValueError(f"{knob} is for fields of kind {kind}; take it out")
        return self


FieldName = Annotated[str, Field(pattern=FIELD_NAME)]


class PairedFolders(PictureFiles):
    """Folders joined by the names of their pictures; the images are at `path`, and `fields` go with them."""

    class Config(OwnFiles):
        fields: Annotated[dict[FieldName, FieldFolder], Field(min_length=1)]

        @model_validator(mode="after")
        def _no_name_twice(self) -> Any:
            if KNOWN_LABEL in self.fields:
                raise ValueError(f"{KNOWN_LABEL} is the field that `num_labels` makes; choose another name")
            return self

    own_fields = ("image", "label_map", "mask")

    def __init__(self, config: Config, root: Path) -> None:
        super().__init__(config, root)
        self.folders = config.fields
        self.beside = {name: FolderPictures(located(one.path, root)) for name, one in config.fields.items()}

    def opened(self) -> FolderPictures:
        return FolderPictures(self.path, self.config.labels)

    @cached_property
    def fields(self) -> Mapping[str, FieldSpec]:
        return {name: self._spec(name, one) for name, one in self.folders.items()}

    @property
    def watched_paths(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(watched_path, [self.config.path, *(f.path for f in self.folders.values())])))

    def state(self) -> str:
        return " ".join([super().state(), *(pictures.state() for pictures in self.beside.values())])

    def chunks(self, rows: np.ndarray) -> Iterator[Chunk]:
        for some in pieces(rows):
            fields = {name: [self._read(name, int(row)) for row in self._partners[name][some]] for name in self.folders}
            yield Chunk(list(self.pictures.files(some)), fields)

    def _read(self, name: str, row: int) -> EncodedField:
        """The picture of a field with this number in its folder."""
        folder, (picture, file) = self.folders[name], self._file(name, row)
        if folder.kind == "image":
            return picture, file
        return picture, MapFile(file, self._void(name), folder.threshold)

    def _file(self, name: str, row: int) -> EncodedImage:
        picture = self.beside[name].listing.names[row]
        return f"{self.folders[name].path}/{picture}", self.beside[name].path / picture

    @cached_property
    def _partners(self) -> Mapping[str, np.ndarray]:
        """Of each field, where in its folder the partner of each image is."""
        return {name: self._rows(self.folders[name].path, self.beside[name].listing.names) for name in self.folders}

    def _rows(self, path: str, names: list[str]) -> np.ndarray:
        images = self.listing.names
        rows = partners(names, images)
        if rows is None:
            alone = without_partner(self.config.path, images, path, names)
            raise DataError(
                f"every image needs a partner of the same name (as 7.png is of 007.jpg) in {path}, and that one alone. "
                f"Without are {alone}. Rename or remove them."
            )
        return rows

    def _spec(self, name: str, folder: FieldFolder) -> FieldSpec:
        if folder.kind == "image":
            return FieldSpec("image", (3 if any(self.beside[name].listing.colored) else 1, 0, 0))
        if folder.kind == "mask":
            return FieldSpec("mask", (1, 0, 0))
        given = folder.labels if isinstance(folder.labels, list) else map(str, range(folder.labels or 0))
        names = tuple(given) or self._found[name][0]
        names = (*names, VOID_LABEL) if self._void(name) is not None else names
        return FieldSpec("label_map", (0, 0), len(names), names)

    def _void(self, name: str) -> int | None:
        """The number that stands for no label, if some pixels may have it."""
        folder = self.folders[name]
        if folder.kind != "label_map" or folder.labels is not None:
            return folder.void
        return (VOID if folder.void is None else folder.void) if self._found[name][1] else None

    @cached_property
    def _found(self) -> dict[str, tuple[tuple[str, ...], bool]]:
        """The labels in each field's maps that are not declared, and whether some pixels have none."""
        wanted = {n: one for n, one in self.folders.items() if one.kind == "label_map" and one.labels is None}
        return {name: self._counted(name, one) for name, one in wanted.items()}

    def _counted(self, name: str, folder: FieldFolder) -> tuple[tuple[str, ...], bool]:
        pictures = self.beside[name]

        def count() -> LabelCounts:
            files = [self._file(name, row) for row in range(len(pictures.listing.names))]
            return label_counts(files, cores())

        found = remembered(f"{pictures.path.resolve()} numbers", pictures.state(), LabelCounts, count)
        return labels_of(found, VOID if folder.void is None else folder.void, folder.path)
