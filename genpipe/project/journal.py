"""Atomic changes of several files: a journal is written first, so that a killed command can be undone.

What is to be deleted only gets another name beside its own, and goes once nothing is left that could fail. The note
tells from then on that all is done, and is removed at the very end.
"""

import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from genpipe import files, paths
from genpipe.errors import ConfigError, ExistsError, GenpipeError, Problem

TEMPORARY = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}\.tmp")
"""The name of a file that is being written, or is about to be deleted."""
_NOTE = "journal.json"


@dataclass(frozen=True)
class Journal:
    """A change of a project: paths relative to the root, each with its text before and after, None: not there."""

    command: str
    files: tuple[tuple[str, str | None, str | None], ...]
    outputs: tuple[tuple[str, str], ...]
    """The paths to delete, and their names until then."""
    done: bool = False

    @classmethod
    def of(cls, command: str, changes: Iterable[tuple[str, str | None, str | None]], gone: Iterable[Path]) -> "Journal":
        """Returns a change that is not made yet."""
        hidden = ((str(path), str(path.with_name(f".{path.name}.{uuid4().hex[:8]}.tmp"))) for path in gone)
        return cls(command, tuple(changes), tuple(hidden))

    def carry_out(self, root: Path) -> None:
        """Does everything or nothing. Raises ExistsError if a file is no longer as it was."""
        self.note(root)
        try:
            for file, before, after in self.files:
                if read(root / file) != before:
                    raise ExistsError(f"{file} has just been changed by something else. Run the command again.")
                _put(root / file, after)
            for output, hidden in self.outputs:
                (root / output).rename(root / hidden)
            replace(self, done=True).note(root)
        except BaseException:
            self.undo(root)
            raise
        self.finish(root)

    def undo(self, root: Path) -> None:
        """Restores everything; a file that something else has changed since stays as it is."""
        for file, before, after in self.files:
            if before != after and read(root / file) == after:
                _put(root / file, before)
        self.keep(root)

    def keep(self, root: Path) -> None:
        """Keeps the files as they are, and the paths that were to be deleted."""
        for output, hidden in self.outputs:
            if (root / hidden).exists() and not (root / output).exists():
                (root / hidden).rename(root / output)
        self.finish(root)

    def finish(self, root: Path) -> None:
        """Deletes what is not needed any more, the journal last."""
        for _, hidden in self.outputs:
            _delete(root / hidden)
        for file, _, _ in self.files:
            _sweep((root / file).parent, Path(file).name)
        _note(root).unlink(missing_ok=True)

    def edited(self, root: Path) -> list[str]:
        """Returns the files that match neither their old nor their new text."""
        return [file for file, before, after in self.files if read(root / file) not in (before, after)]

    def note(self, root: Path) -> None:
        """Writes the journal of a change that is planned or made."""
        files.write_json(_note(root), asdict(self))


def pending(root: Path) -> Journal | None:
    """Returns the change in progress, or of a killed command. Raises GenpipeError if its journal is damaged."""
    try:
        noted: dict[str, Any] = files.read_json(_note(root))
        changes = tuple((file, before, after) for file, before, after in noted["files"])
        return Journal(noted["command"], changes, tuple((a, b) for a, b in noted["outputs"]), noted["done"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise GenpipeError(f"{_note(root)} is damaged ({error}). Look at the project, and delete that file.") from None


def recover(root: Path) -> None:
    """Undoes or finishes the change of a killed command.

    Raises ExistsError if that would lose what was edited since.
    """
    _sweep(paths.private(root), "*.json")
    found = pending(root)
    if found is None:
        return
    if found.done:
        found.finish(root)
    elif edited := found.edited(root):
        raise ExistsError(
            f"`{found.command}` was killed half-way, and {' and '.join(edited)} has been edited since, so that it "
            "cannot be undone. Look at that, and keep the files as they are with: genpipe clean --yes"
        )
    else:
        found.undo(root)


def read(path: Path) -> str | None:
    """Returns the text of a file, with its line ends; None if there is none. Raises ConfigError if it is not text."""
    try:
        with files.opened(path) as file:
            return file.read().decode("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), None, "", f"cannot be read: {files.reason(error)}.")]) from None


def _note(root: Path) -> Path:
    return paths.private(root) / _NOTE


def _put(file: Path, text: str | None) -> None:
    if text is None:
        file.unlink(missing_ok=True)
    else:
        files.write_text(file, text)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sweep(folder: Path, name: str) -> None:
    """Deletes what was left of a file of this name that was being written."""
    with suppress(FileNotFoundError):
        for file in folder.glob(f".{name}.*.tmp"):
            if TEMPORARY.fullmatch(file.name):
                file.unlink(missing_ok=True)
