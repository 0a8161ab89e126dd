"""A .zip, .tar or .tar.xz of your own pictures, laid out like a folder, or with a dataset.json."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from posixpath import normpath

import numpy as np

from genpipe.data._archives import members
from genpipe.data._decoding import coloured
from genpipe.data._files import Listing, OwnFiles, PictureFiles, skipped, stamp
from genpipe.data._layout import ANNOTATIONS, annotated, is_picture
from genpipe.interfaces import Encoded


class Archive(PictureFiles):
    """Pictures in an archive, which is read as a stream and never extracted."""

    class Config(OwnFiles): ...

    def files(self, rows: np.ndarray) -> Iterator[Encoded]:
        pick = _Pick(rows)
        for name, content in members(self.path, pick):
            if content is not None:
                yield name, content
            if pick.satisfied:
                return

    def state(self) -> str:
        return stamp(self.path)

    def listed(self) -> Listing:
        names: list[str] = []
        colours: list[bool | None] = []
        others: list[str] = []
        found = None
        for name, content in members(self.path, lambda name: _is_note(name) or is_picture(name)):
            if _is_note(name) and content is not None:
                found = annotated(content, str(PurePosixPath(name).parent), str(self.path))
            elif is_picture(name):
                names.append(normpath(name))
                colours.append(coloured(content or b""))
            else:
                others.append(name)
        return Listing(names, found, colours, skipped(others))


class _Pick:
    """Says of each name in turn whether its picture is among the wanted."""

    def __init__(self, rows: np.ndarray) -> None:
        self._left = iter(rows.tolist())
        self._next = next(self._left, None)
        self._number = -1

    @property
    def satisfied(self) -> bool:
        """Whether no wanted picture is left."""
        return self._next is None

    def __call__(self, name: str) -> bool:
        if not is_picture(name):
            return False
        self._number += 1
        wanted = self._number == self._next
        if wanted:
            self._next = next(self._left, None)
        return wanted


def _is_note(name: str) -> bool:
    return name.rpartition("/")[2] == ANNOTATIONS and not re.search(r"(^|/)(\.|__MACOSX)", name)
