"""The plan of a command's changes to the project, carried out completely or not at all."""

from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from genpipe import mentions, paths
from genpipe.config.project import Experiment
from genpipe.project import graph
from genpipe.project.journal import Journal
from genpipe.project.stages import OWN, followers, of_data, of_experiment


@dataclass(frozen=True)
class Change:
    """One file, relative to the project's root, before and after; None: it does not exist."""

    root: Path
    file: Path
    before: str | None
    after: str | None

    @property
    def needed(self) -> bool:
        """Whether the file differs from its new text."""
        return self.before != self.after

    def diff(self) -> str:
        """Returns the unified diff; empty if nothing changes."""
        old, new = ((text or "").splitlines(keepends=True) for text in (self.before, self.after))
        before, after = ("/dev/null" if text is None else str(self.file) for text in (self.before, self.after))
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in unified_diff(old, new, before, after))


@dataclass(frozen=True)
class Plan:
    """The files that a command changes, and the experiments that these files are about."""

    root: Path
    files: tuple[Change, ...]
    experiments: tuple[Experiment, ...] = ()
    """The experiments that the plan adds, or that already exist in this form."""
    fresh: frozenset[str] = frozenset()
    """The names of those that do not exist yet in this form."""
    moved: frozenset[str] = frozenset()
    """The names of those whose index line is new or changed."""
    left_out: tuple[str, ...] = ()
    """The metrics and analyses of the recipe that the data does not support, each with the reason."""
    notes: tuple[str, ...] = ()
    """Further messages about the experiments."""
    outputs: tuple[Path, ...] = ()
    """Files and folders, relative to the root, that are deleted once all else is done."""

    @property
    def changes(self) -> list[Change]:
        """The changes to write; none if all files are up to date."""
        return [change for change in self.files if change.needed]

    def diff(self) -> str:
        """Returns the unified diff of all files."""
        return "".join(change.diff() for change in self.changes)

    def stages(self) -> list[str]:
        """Returns the DVC stages that the next `dvc repro` would run because of this, in order."""
        if not self.changes:
            return []
        fresh = [experiment for experiment in self.experiments if experiment.name in self.fresh]
        data = [stage for name in dict.fromkeys(e.data.name for e in fresh) for stage in of_data(self.root, name)]
        own = [stage for e in fresh for stage in self._own(e, bool(data))]
        return ["check", *data, *own, *self._following(own), "report"]

    def _own(self, experiment: Experiment, anew: bool) -> list[str]:
        """The stages of an experiment, all of them if its data or its index line is new."""
        file = next(change for change in self.files if change.file == paths.pipeline(experiment.name))
        same = not anew and experiment.name not in self.moved
        return of_experiment(self.root, experiment, file.before if same else None, file.after)

    def _following(self, stages: list[str]) -> list[str]:
        """The stages of experiments that are there already and need one that trains again."""
        text = next((change.after for change in self.files if change.file == paths.PREREQUISITES_WIRING), None)
        trained = [stage.removeprefix("train@") for stage in stages if stage.startswith("train@")]
        again = followers(mentions.prerequisites((text or "").encode()), trained)
        return [f"{stage}@{name}" for name in again if name not in trained for stage in OWN]

    def verify(self) -> None:
        """Asks DVC. Raises ConfigError if it would refuse the project after these changes."""
        graph.verify(self.root, {change.file: change.after for change in self.changes})

    def write(self, command: str = "a change") -> None:
        """Does everything or nothing. Raises ConfigError if DVC would refuse the outcome."""
        if self.changes:
            self.verify()
        if self.changes or self.outputs:
            files = [(str(change.file), change.before, change.after) for change in self.changes]
            Journal.of(command, files, self.outputs).carry_out(self.root)
