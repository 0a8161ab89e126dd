"""What composing an experiment would change, and the writing of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from genpipe import files, paths, registry
from genpipe.composing import _graph
from genpipe.config import Experiment
from genpipe.errors import ConfigError, ExistsError, Problem


@dataclass(frozen=True)
class Change:
    """One file, relative to the project's root, before (None: not there) and after."""

    root: Path
    file: Path
    before: str | None
    after: str

    @property
    def needed(self) -> bool:
        """Whether the file is not yet what it is to be."""
        return self.before != self.after

    def diff(self) -> str:
        """The unified diff; empty if nothing changes."""
        old, new = (self.before or "").splitlines(keepends=True), self.after.splitlines(keepends=True)
        return "".join(
            unified_diff(old, new, str(self.file) if self.before is not None else "/dev/null", str(self.file))
        )

    def write(self) -> None:
        """Replaces the file. Raises ExistsError if it is no longer as it was when this was planned."""
        if read(self.root / self.file) != self.before:
            raise ExistsError(f"{self.file} has just been changed by something else. Run the command again.")
        files.write_text(self.root / self.file, self.after)

    def undo(self) -> None:
        """Puts back what was there before."""
        if self.before is None:
            (self.root / self.file).unlink(missing_ok=True)
        else:
            files.write_text(self.root / self.file, self.before)


@dataclass(frozen=True)
class Plan:
    """A validated experiment and the two files that make it one of the project's."""

    root: Path
    experiment: Experiment
    pipeline: Change
    index: Change

    @property
    def changes(self) -> list[Change]:
        """What has to be written; nothing if the experiment is there already, just so."""
        return [change for change in (self.pipeline, self.index) if change.needed]

    def diff(self) -> str:
        """The unified diff of both files."""
        return "".join(change.diff() for change in self.changes)

    def stages(self) -> list[str]:
        """The DVC stages that the next `dvc repro` would run because of this, in order."""
        if not self.changes:
            return []
        name, data = self.experiment.name, self.experiment.data.name
        prepared = (self.root / paths.data(data)).exists(), (self.root / paths.reference(data)).exists()
        missing = [
            f"{stage}@{data}" for stage, there in zip(("prepare", "reference"), prepared, strict=True) if not there
        ]
        return ["check", *missing, f"train@{name}", f"sample@{name}", f"evaluate@{name}", "report"]

    def parameters(self) -> int:
        """How many numbers training moves; the model is built without memory for them."""
        import torch

        system = registry.load("models", self.experiment.model_name)
        with torch.device("meta"):
            model = system(self.experiment.model, self.experiment.data.spec())
        return sum(parameter.numel() for parameter in model.parameters())

    def verify(self) -> None:
        """Asks DVC. Raises ConfigError if it would refuse the project with this experiment in it."""
        _graph.verify(self.root, {change.file: change.after for change in (self.pipeline, self.index)})

    def write(self) -> None:
        """Writes both files or none. Raises ConfigError if DVC would refuse them."""
        if self.changes:
            self.verify()
            write_all(self.changes)


def write_all(changes: Iterable[Change]) -> None:
    """Writes all changes or none."""
    written: list[Change] = []
    try:
        for change in changes:
            change.write()
            written.append(change)
    except BaseException:
        for change in written:
            change.undo()
        raise


def read(path: Path) -> str | None:
    """The text of a file, line ends as they are; None if there is none. Raises ConfigError if it is no text."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(str(path), None, "", f"cannot be read: {error}.")]) from None
