"""Picture files in an archive."""

from collections.abc import Iterator
from pathlib import Path
from posixpath import dirname, normpath

import numpy as np

from genpipe.dataset.archives import Link, members
from genpipe.dataset.decoding import colored
from genpipe.dataset.layout import annotated, is_note, is_picture, note_among
from genpipe.dataset.picture_files import Listing, Pictures, skipped, stamp
from genpipe.errors import DataError
from genpipe.interfaces.sources import EncodedImage


class ArchivePictures(Pictures):
    """Pictures in an archive, which is read as a stream and never extracted.

    A hard link in a tar is the picture that it points to: it comes right after that, so that nothing has to be kept.
    """

    def listed(self) -> Listing:
        return _Scan(self.path, self.labels).listing()

    def files(self, rows: np.ndarray) -> Iterator[EncodedImage]:
        names, held_by = [self.listing.names[row] for row in reversed(rows.tolist())], self.listing.held_by

        def is_next(name: str) -> bool:
            return bool(names) and held_by.get(names[-1], names[-1]) == normpath(name)

        for name, content in members(self.path, is_next):
            while isinstance(content, bytes) and is_next(name):
                yield names.pop(), content
            if not names:
                return

    def state(self) -> str:
        return stamp(self.path)


class _Scan:
    """What is in an archive, gathered as its members come."""

    def __init__(self, path: Path, labels: bool) -> None:
        self.path, self.labels = path, labels
        self.holders: dict[str, str] = {}
        """By the name of each file the one that has its content: itself, or what it is a hard link to."""
        self.aliases: dict[str, list[str]] = {}
        """The pictures that are hard links to a file."""
        self.notes: dict[str, bytes] = {}
        self.links: list[str] = []
        self.colored: dict[str, bool | None] = {}
        """Whether what is in a picture's file has colors."""

    def listing(self) -> Listing:
        """The pictures in the order in which they are read. Raises DataError if the archive leaves anything open."""
        for name, content in members(self.path, self._wanted):
            self._add(normpath(name), content)
        names = [name for file in self.holders for name in self._pictures(file)]
        unseen = {self.holders[name] for name in names} - self.colored.keys()  # by its name no picture, by a link one
        for name, content in members(self.path, lambda name: normpath(name) in unseen) if unseen else ():
            self.colored |= {normpath(name): colored(content)} if isinstance(content, bytes) else {}
        return Listing(
            names,
            self._annotations() if self.labels else None,
            [self.colored.get(self.holders[name]) for name in names],
            skipped((name for name, holder in self.holders.items() if holder), len(self.links)),
            {alias: file for file, aliases in self.aliases.items() for alias in aliases},
        )

    def _wanted(self, name: str) -> bool:
        name = normpath(name)
        return is_picture(name) or (self.labels and not self.notes and is_note(name))

    def _add(self, name: str, content: bytes | Link | None) -> None:
        if name in self.holders:
            raise DataError(f"{self.path}: {name} is there twice, and which is meant is not certain. Pack it anew.")
        if isinstance(content, Link):
            self._link(name, content)
            return
        self.holders[name] = name
        if is_note(name):
            self.notes[name] = content or b""
        elif content is not None:
            self.colored[name] = colored(content)

    def _link(self, name: str, link: Link) -> None:
        holder = "" if link.target is None else self.holders.get(normpath(link.target))
        if holder is None:
            raise DataError(
                f"{self.path}: {name} is a hard link to {link.target}, and no such file comes before it. Pack it anew "
                "with all that it is made of, or with --hard-dereference."
            )
        self.holders[name] = holder
        if not holder or is_note(name):
            self.links.append(name)
        elif is_picture(name):
            self.aliases.setdefault(holder, []).append(name)

    def _pictures(self, file: str) -> list[str]:
        own = [file] if self.holders[file] == file and is_picture(file) else []
        return own + self.aliases.get(file, [])

    def _annotations(self) -> dict[str, int] | None:
        note = note_among(self.notes, self.links, str(self.path))
        return annotated(self.notes[note], dirname(note), str(self.path)) if note else None
