"""What a stage reads, compared at its end with what it was at its start.

DVC takes its hashes after a stage has run. Something that was edited meanwhile would be recorded as what the stage
had read, and the next `dvc repro` would skip it.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from genpipe import fingerprints, paths, wiring
from genpipe.document import read
from genpipe.errors import ConfigError, InputsChanged
from genpipe.files import read_json
from genpipe.paths import INDEX
from genpipe.running.code import among, imported, imported_by_others, is_code
from genpipe.wiring import Stage

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

Stamp = tuple[int, int, int]
"""Size in bytes, time of change in ns since 1970, and the same as nobody can set it."""
Rules = Sequence[tuple[int, "GitIgnoreSpec"]]
"""Of each .dvcignore, from the root down, where in a path the part below its folder begins, and its patterns."""
_IGNORE = ".dvcignore"
_ABSENT = "nothing"


class Inputs:
    """The knobs and files of a stage as they are when this is made; hashes of the files follow on a thread."""

    def __init__(self, root: Path, stage: Stage) -> None:
        self.root, self.stage = root, stage
        self.code = _code(root, stage)
        self.knobs, self.files = _knobs(root, stage), _files(root, stage, self.code)
        self._hashes: dict[str, str] = {}
        self._imported = frozenset[str]()
        self._hashing = Thread(target=self._hash, daemon=True, name="hash-inputs")
        self._hashing.start()

    def verify(self) -> None:
        """Raises InputsChanged if something is no longer what it was.

        If nothing is, all that was imported before is the code that was there at the start.
        """
        so_far = imported()
        if moved := [*self._moved_knobs(), *self._moved_files().values()]:
            raise InputsChanged(self.stage.name, moved)
        self._imported = so_far

    def verify_same(self, what: str, before: object, now: object) -> None:
        """Raises InputsChanged if something that DVC does not list is no longer what it was."""
        if now != before:
            raise InputsChanged(self.stage.name, [f"{what} has changed"])

    def verify_state(self) -> None:
        """Raises InputsChanged if the state of a training may be made of files in two states."""
        if doubtful := self.doubtful():
            remark = "Undo the change first, and the training goes on from the checkpoint before it, if there is one."
            raise InputsChanged(self.stage.name, doubtful, remark)

    def doubtful(self) -> list[str]:
        """What there is to say of each file that is no longer what it was and may have been read since.

        Data and what a stage before has made are read as long as a stage runs, but code once.
        """
        return [said for path, said in self._moved_files().items() if not self._read_before(path)]

    def verify_fresh(self, began_ns: int) -> None:
        """Raises InputsChanged if code was edited since this process began, which may have imported what was there."""
        now = time.time_ns()  # the clock of another machine, whose disk this is, may be ahead
        late = [p for p, (_, changed, _) in self.files.items() if is_code(p) and began_ns < changed <= now]
        if late:
            raise InputsChanged(self.stage.name, [f"{path} has changed" for path in late])

    def verify_recorded(self) -> None:
        """Raises InputsChanged if code was edited since the stage `code` ran, whose file is what DVC compares."""
        recorded = self.root / paths.code(*_named(self.stage))
        if recorded.exists() and (moved := list(fingerprints.differences(read_json(recorded), self.code))):
            raise InputsChanged(self.stage.name, moved)

    def fingerprint(self) -> dict[str, Any] | None:
        """Returns all knobs, and the SHA-256 of all files; None if a file was changed before it could be hashed."""
        self._hashing.join()
        return {"knobs": dict(self.knobs), "files": self._hashes} if self._hashes.keys() == self.files.keys() else None

    def _moved_knobs(self) -> Iterator[str]:
        try:
            knobs = _knobs(self.root, self.stage)
        except ConfigError as error:
            yield str(error)
        else:
            yield from self._called_otherwise()
            for name in _different(self.knobs, knobs):
                yield f"{name} was {self.knobs.get(name, _ABSENT)} and is {knobs.get(name, _ABSENT)}"

    def _moved_files(self) -> dict[str, str]:
        """What there is to say of each file that is no longer what it was."""
        files, found = _files(self.root, self.stage, _code(self.root, self.stage)), dict[str, str]()
        for path in _different(self.files, files):
            if path not in files:
                found[path] = f"{path} is gone"
            elif path not in self.files:
                found[path] = f"{path} is new"
            elif self._hash_moved(path, files[path]) or (is_code(path) and not self._read_before(path)):
                found[path] = f"{path} has changed"
        return found

    def _hash_moved(self, path: str, stamp: Stamp) -> bool:
        return _hashed(self.root / path, stamp) != self._hashes.get(path, _ABSENT)

    def _read_before(self, path: str) -> bool:
        """Whether a file that moved was read, if at all, while it was still what it was."""
        if not is_code(path) or imported_by_others():
            return False
        file = self.root / path
        return among(file, self._imported) or (file.exists() and not among(file, imported()))

    def _called_otherwise(self) -> Iterator[str]:
        """What there is to say if DVC would call the stage in other words now, as its line of params.yaml changed."""
        if (now := wiring.stage(self.root, *_named(self.stage)).command) != self.stage.command:
            yield f"{INDEX}: `{self.stage.command}` has become `{now}`"

    def _hash(self) -> None:
        for path, stamp in sorted(self.files.items(), key=lambda item: item[1]):
            if found := _hashed(self.root / path, stamp):
                self._hashes[path] = found


def _named(stage: Stage) -> tuple[str, str | None]:
    """What a stage is called, and the experiment or data set."""
    name, _, key = stage.name.partition("@")
    return name, key or None


def _code(root: Path, stage: Stage) -> fingerprints.Code:
    return fingerprints.of_stage(root, *_named(stage))


def _different(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in {*before, *now} if before.get(key) != now.get(key))


def _knobs(root: Path, stage: Stage) -> dict[str, str]:
    """Every single value under the keys of a stage, as JSON, by "file: dotted key"."""
    found: dict[str, str] = {}
    for file, keys in stage.params.items():
        document = read(root / file, file)
        for key in keys or ("",):
            value = document.value
            for part in key.split(".") if key else ():
                value = value.get(part) if isinstance(value, dict) else None
            found |= {f"{file}: {name}": json.dumps(leaf) for name, leaf in _leaves(value, key)}
    return found


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _files(root: Path, stage: Stage, code: fingerprints.Code) -> dict[str, Stamp]:
    """Size and time of every file that a stage depends on: what DVC sees, and the modules that it runs."""
    found: dict[str, Stamp] = {}
    for dep in stage.deps:
        if (root / dep).is_dir():
            found.update(_below(str(root / dep), dep, _rules_above(root, dep)))
        elif stamp := _stamp(root / dep):
            found[dep] = stamp
    for file in filter(None, (fingerprints.source_file(root, module) for module in code)):
        if stamp := _stamp(file):
            found[str(file.relative_to(root) if file.is_relative_to(root) else file)] = stamp
    return found


def _below(folder: str, shown: str, rules: Rules | None) -> Iterator[tuple[str, Stamp]]:
    """The files in a folder that DVC does not ignore; links to folders are not followed."""
    with os.scandir(folder) as listed:
        entries = list(listed)
    if rules is not None and any(entry.name == _IGNORE for entry in entries):
        rules = [*rules, *_rules(folder, shown)]
    for entry in entries:
        path = f"{shown}/{entry.name}"
        if entry.is_dir():
            if not entry.is_symlink() and not _ignored(f"{path}/", rules):
                yield from _below(entry.path, path, rules)
        elif not _ignored(path, rules) and (stamp := _stamp(entry)):
            yield path, stamp


def _rules_above(root: Path, dep: str) -> Rules | None:
    """What is to be ignored by the files above a folder; None outside of the project, where DVC ignores nothing."""
    if Path(dep).is_absolute() or ".." in Path(dep).parts:
        return None
    above = reversed(Path(dep).parents)
    return [rule for folder in above for rule in _rules(root / folder, "" if folder == Path() else folder.as_posix())]


def _rules(folder: str | Path, shown: str) -> Rules:
    """What a folder's own .dvcignore says, if it has one, and how much of a path the folder is."""
    from pathspec import GitIgnoreSpec

    file = Path(folder) / _IGNORE
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return [(len(shown) + 1 if shown else 0, GitIgnoreSpec.from_lines(lines))] if lines else []


def _ignored(path: str, rules: Rules | None) -> bool:
    """Whether the nearest rules that say something of a path say that it is ignored."""
    said = (spec.check_file(path[start:]).include for start, spec in reversed(rules or ()))
    return next((bool(ignored) for ignored in said if ignored is not None), False)


def _stamp(path: Path | os.DirEntry[str]) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _hashed(path: Path, stamp: Stamp) -> str | None:
    """The SHA-256 of a file, if it is the one with this stamp."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
    return digest if _stamp(path) == stamp else None
