"""Experiments that are there: taken out of the project, or called something else."""

from dataclasses import replace
from pathlib import Path

from genpipe import paths
from genpipe.composing._editing import rename, take
from genpipe.composing._git import holds
from genpipe.composing._journal import read
from genpipe.composing._plan import Change, Plan
from genpipe.config import Project
from genpipe.errors import ExistsError, UnknownName, UsageError
from genpipe.outputs import of_experiment, refuse_foreign
from genpipe.validation import RULE, name_allowed


def removal(project: Project, name: str, *, outputs: bool = False, force: bool = False) -> Plan:
    """What takes an experiment out of the project: its index line, its file and, if wished, what it made.

    An experiment that is no longer in the index, but has left something, can be removed too. Raises UnknownName, and
    ExistsError if git does not hold the file as it is, or something lies among what it made that it has not made, and
    `force` does not allow to lose that.
    """
    file, made = paths.pipeline(name), outputs_of(project.root, name) if name_allowed(name) else []
    listed = name in project.index.experiments
    text = read(project.root / file) if name_allowed(name) else None
    if not listed and text is None and not made:
        raise UnknownName(name, f"experiment in {paths.INDEX}", project.index.experiments)
    if text is not None and not force and not holds(project.root, file):
        raise ExistsError(
            f"{file} would be lost: git does not hold it as it is now. Commit it, or remove it all the same with "
            "--force (with --dry-run, to see what would change)."
        )
    if outputs and not force:
        refuse_foreign(project.root, of_experiment(name), "Move it elsewhere, or delete it, too, with --force.")
    index = read(project.root / paths.INDEX)
    assert index is not None
    changes = [Change(project.root, paths.INDEX, index, take(index, ("experiments", name)) if listed else index)]
    return Plan(
        project.root, (*changes, Change(project.root, file, text, None)), outputs=tuple(made) if outputs else ()
    )


def renaming(project: Project, old: str, new: str) -> Plan:
    """What gives an experiment another name, at its place in the index; what it made stays under the old name.

    Raises UnknownName, UsageError, ExistsError if the name is taken, and ConfigError if the experiment is not valid.
    """
    if not name_allowed(new):
        raise UsageError(f"an experiment cannot be called '{new}': {RULE}.")
    experiment = project.experiment(old)
    source, target = paths.pipeline(old), paths.pipeline(new)
    text, there = read(project.root / source), read(project.root / target)
    if new in project.index.experiments or there is not None:
        taken = f"experiments.{new} of {paths.INDEX}" if new in project.index.experiments else str(target)
        raise ExistsError(f"{taken} exists. Take another name, or remove it first: genpipe remove {new}.")
    refuse_foreign(project.root, of_experiment(new), "Move it elsewhere, or take another name.")
    index = read(project.root / paths.INDEX)
    assert index is not None
    changes = (
        Change(project.root, target, None, text),
        Change(project.root, paths.INDEX, index, rename(index, ("experiments", old), new)),
        Change(project.root, source, text, None),
    )
    return Plan(project.root, changes, (replace(experiment, name=new),), frozenset([new]))


def outputs_of(root: Path, name: str) -> list[Path]:
    """What the stages of an experiment made and left, relative to the root."""
    made = [place.path for place in of_experiment(name)]
    made += [file.relative_to(root) for file in (paths.private(root) / "checkpoints").glob(f"{name}-{'?' * 16}")]
    return [path for path in made if (root / path).exists()]
