"""Picture files in a folder."""

import hashlib
import os
from collections.abc import Iterator
from functools import cached_property
from posixpath import dirname

import numpy as np

from genpipe.dataset.decoding import Broken, colored, contents
from genpipe.dataset.layout import annotated, is_picture, note_among
from genpipe.dataset.picture_files import Listing, Pictures, skipped
from genpipe.errors import DataError
from genpipe.files import reason
from genpipe.interfaces.sources import EncodedImage


class FolderPictures(Pictures):
    """Pictures anywhere below a folder; links are not followed."""

    def listed(self) -> Listing:
        names = sorted(name for name in self._entries if is_picture(name))
        found = self._annotations() if self.labels else None
        colors = [colored(self.path / name) for name in names]
        return Listing(names, found, colors, skipped(self._entries, len(self._links)))

    def files(self, rows: np.ndarray) -> Iterator[EncodedImage]:
        return ((self.listing.names[row], self.path / self.listing.names[row]) for row in rows)

    def state(self) -> str:
        lines = [f"{name}\t{stamp}\n" for name, stamp in sorted(self._entries.items())]
        lines += (f"{name}\tlink\n" for name in sorted(self._links))
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()

    def _annotations(self) -> dict[str, int] | None:
        note = note_among(self._entries, self._links, str(self.path))
        try:
            return annotated(contents(self.path / note), dirname(note), str(self.path)) if note else None
        except (Broken, OSError) as error:
            raise DataError(f"{self.path}: {note} cannot be read: {reason(error)}.") from None

    @cached_property
    def _entries(self) -> dict[str, str]:
        """Size and time of change of every regular file, by its path below the folder."""
        if not self.path.is_dir():
            raise DataError(
                f"{self.path} is no folder. A .zip or a .tar is for `source: archive`, or has to be unpacked."
            )
        self._links: list[str] = []
        return dict(self._walked(str(self.path), ""))

    def _walked(self, folder: str, below: str) -> Iterator[tuple[str, str]]:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = f"{below}{entry.name}"
                if entry.is_symlink():
                    self._links.append(name)
                elif entry.is_dir(follow_symlinks=False):
                    yield from self._walked(entry.path, f"{name}/")
                elif entry.is_file(follow_symlinks=False):
                    found = entry.stat(follow_symlinks=False)
                    yield name, f"{found.st_size} {found.st_mtime_ns}"
                else:
                    raise DataError(f"{entry.path} is no regular file (a pipe, a socket, a device). Remove it.")
