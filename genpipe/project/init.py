"""A new project: its wiring, an index with one experiment, git and DVC."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from genpipe import outputs, paths
from genpipe.config.document import parse
from genpipe.config.project import Project
from genpipe.errors import ExistsError, GenpipeError, UsageError
from genpipe.files import read_text
from genpipe.packages import refusal
from genpipe.project import template
from genpipe.project.journal import Journal, read
from genpipe.project.lock import changing, command
from genpipe.project.new_experiment import ExperimentRequest
from genpipe.project.new_experiment import plan as composed
from genpipe.project.plan import Change
from genpipe.provenance import git

WORKFLOW = Path(".github/workflows/genpipe.yaml")
_KEPT = (Path("README.md"), WORKFLOW)
"""What stays as it is, where it is there."""


@dataclass(frozen=True)
class Beginning:
    """The changes that make a folder a project."""

    root: Path
    changes: tuple[Change, ...]
    kept: tuple[Path, ...]
    """The existing files that stay as they are."""
    needs_git: bool
    needs_dvc: bool

    def write(self) -> None:
        """Does everything or nothing. Raises GenpipeError if git or DVC cannot."""
        if self.needs_git and shutil.which("git") is None:
            raise GenpipeError(
                "git is not on the path, and a project is kept in git: install it (https://git-scm.com)."
            )
        folders = {self.root / parent for change in self.changes for parent in change.file.parents}
        folders |= {*self.root.parents, *(self.root / name for name in (".git", ".dvc", ".genpipe"))}
        made = [folder for folder in folders if not folder.exists()]
        journal = Journal.of(command(), [(str(c.file), c.before, c.after) for c in self.changes if c.needed], ())
        with _undone_if_it_fails(self.root, journal, made):
            self.root.mkdir(parents=True, exist_ok=True)
            if self.needs_git:
                _called(self.root, "git init", ["git", "init", "--quiet"])
            with changing(self.root):
                journal.carry_out(self.root)
            if self.needs_dvc:
                _dvc_init(self.root)


def beginning(root: Path, package: str | None) -> Beginning:
    """Returns the changes that make a folder, which need not exist, a project; writes nothing.

    Raises UsageError if a package cannot be called so, and ExistsError if something would be overwritten or deleted.
    """
    root = root.resolve()
    if root.exists() and not root.is_dir():
        raise UsageError(f"{root} is no folder.")
    if package is not None and (why := refusal(package, root)):
        raise UsageError(f"--package: {why}")
    wanted = {**template.wiring(), **_composed(package), **template.ignored(), **_beside(package)}
    changes = tuple(_change(root, file, text) for file, text in wanted.items())
    kept = tuple(c.file for c in changes if c.before is not None and c.file in (*_KEPT, *_own(package)))
    changes = tuple(change for change in changes if change.file not in kept)
    if taken := [
        str(c.file) for c in changes if c.before is not None and c.needed and c.file not in template.ignored()
    ]:
        told = (
            "It is a genpipe project already: `genpipe init --refresh` renews its wiring."
            if _there(root)
            else "Take another folder."
        )
        raise ExistsError(f"{', '.join(taken)} of {root} would be overwritten. {told}")
    index = parse(wanted[paths.INDEX]).value
    outputs.refuse_foreign(root, outputs.of_project(index["datasets"], index["experiments"]), "Take another folder.")
    return Beginning(root, changes, kept, _toplevel(root) is None, not (root / ".dvc").is_dir())


def _composed(package: str | None) -> dict[Path, str]:
    """The index and the first experiment, as `genpipe new-experiment` composes it."""
    with TemporaryDirectory(prefix="genpipe-") as folder:
        trial = Path(folder).resolve()
        (trial / paths.INDEX).write_text(read_text(template.STARTER / "params.yaml"), encoding="utf-8")
        for file, text in template.wiring().items():
            (trial / file).parent.mkdir(parents=True, exist_ok=True)
            (trial / file).write_text(text, encoding="utf-8")
        plan = composed(Project(trial), ExperimentRequest(**parse(read_text(template.STARTER / "first.yaml")).value))
        plan.verify()
    found = {change.file: change.after or "" for change in plan.files}
    if package:
        line = f"package: {package} # our own models, data, derivations, metrics, analyses, extractors and recipes"
        found[paths.INDEX] = found[paths.INDEX].replace("\nseed:", f"\n{line}\nseed:", 1)
    return found


def _beside(package: str | None) -> dict[Path, str]:
    found = {Path("README.md"): "README.md", WORKFLOW: "workflow.yaml"}
    texts = {file: read_text(template.STARTER / name) for file, name in found.items()}
    return {**texts, **dict.fromkeys(_own(package), template.PACKAGE)}


def _own(package: str | None) -> list[Path]:
    """The first file of a person's package."""
    return [Path(package) / "__init__.py"] if package else []


def _change(root: Path, file: Path, text: str) -> Change:
    """A file as it is to be; one that says what git and DVC ignore gets the lines that it lacks."""
    before = read(root / file)
    if before is None or file not in template.ignored():
        return Change(root, file, before, text)
    missing = [line for line in text.splitlines() if line not in before.splitlines()]
    whole = before if before.endswith("\n") or not before else f"{before}\n"
    return Change(root, file, before, whole + "".join(f"{line}\n" for line in missing))


def _there(root: Path) -> bool:
    return (root / paths.INDEX).is_file() and (root / paths.WIRING).is_file()


def _toplevel(root: Path) -> Path | None:
    """The git repository that a folder is in, or would be."""
    there = next(folder for folder in (root, *root.parents) if folder.is_dir())
    found = git(there, "rev-parse", "--show-toplevel")
    return Path(found.rstrip("\n")) if found else None


def _dvc_init(root: Path) -> None:
    below = [] if _toplevel(root) == root else ["--subdir"]
    _called(root, "dvc init", [sys.executable, "-m", "dvc", "init", "--quiet", *below])


def _called(root: Path, said: str, words: list[str]) -> None:
    done = subprocess.run(words, cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise GenpipeError(f"{said} failed: {done.stderr.strip()}")


@contextmanager
def _undone_if_it_fails(root: Path, journal: Journal, made: list[Path]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if root not in made:
            journal.undo(root)
        for path in made:
            shutil.rmtree(path, ignore_errors=True)
        raise
