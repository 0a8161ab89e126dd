"""Leftover files: from killed processes, or kept in case an edit is undone."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from genpipe import paths
from genpipe.project.journal import TEMPORARY

_ROOMS = (paths.PIPELINES, Path("data"), Path("runs"), paths.REPORTS, paths.private(Path()))
_OLD_TRASH = re.compile(r"trash-[0-9a-f]{8}")
_WRITTEN_AFTER_SEC = 3600
"""A process that still writes does so within an hour."""


@dataclass(frozen=True)
class Temporary:
    """A file or folder that nothing reads."""

    path: Path
    """Relative to the root."""
    size_bytes: int
    written_at: float
    """Seconds since 1970."""

    @property
    def waits(self) -> bool:
        """Whether it is the result of a stage whose inputs were edited while it ran."""
        return self.path.parent == paths.private(Path()) / "finished"

    @property
    def abandoned(self) -> bool:
        """Whether no process can still write or reuse it."""
        return not self.waits and time.time() - self.written_at > _WRITTEN_AFTER_SEC

    def remove(self, root: Path) -> None:
        """Deletes it."""
        if (root / self.path).is_dir():
            shutil.rmtree(root / self.path, ignore_errors=True)
        else:
            (root / self.path).unlink(missing_ok=True)


def temporaries(root: Path) -> list[Temporary]:
    """Returns all leftover files in the folders of a project, oldest first."""
    found = list(_among(root, [path.name for path in root.iterdir()]))
    found += [path for room in _ROOMS for path in _below(root / room)]
    found += (paths.private(root) / "finished").glob("[!.]*")
    return sorted((_seen(root, path) for path in found), key=lambda one: one.written_at)


def _below(folder: Path) -> Iterator[Path]:
    for at, folders, names in os.walk(folder):
        found = list(_among(Path(at), [*folders, *names]))
        yield from found
        folders[:] = [name for name in folders if Path(at) / name not in found]


def _among(folder: Path, names: list[str]) -> Iterator[Path]:
    own = folder.name == paths.private(Path()).name
    yield from (folder / name for name in names if TEMPORARY.fullmatch(name) or (own and _OLD_TRASH.fullmatch(name)))


def _seen(root: Path, path: Path) -> Temporary:
    inside = [path, *(Path(at) / name for at, folders, names in os.walk(path) for name in (*folders, *names))]
    states = [one.lstat() for one in inside]
    return Temporary(path.relative_to(root), sum(s.st_size for s in states), max(s.st_mtime for s in states))
