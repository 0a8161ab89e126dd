"""Checkpoints of trainings that were not finished."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from genpipe import paths
from genpipe.config.project import Project
from genpipe.errors import GenpipeError
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.experiment import checkpoints


@dataclass(frozen=True)
class Unfinished:
    """The checkpoints of one training."""

    folder: Path
    experiment: str
    key: str
    step: int
    """Of the newest checkpoint; 0 if there is none."""
    size_bytes: int
    written_at: float
    """Seconds since 1970."""
    fits: bool | None
    """Whether `dvc repro` would resume from here; None if this is not known."""
    why: str
    """The reason, in a few words, why it fits or not."""


def unfinished(project: Project) -> list[Unfinished]:
    """Returns all leftover checkpoints, oldest first."""
    folders = [folder for folder in paths.checkpoints().glob("*-*") if folder.is_dir()]
    return sorted((_seen(project, folder) for folder in folders), key=lambda one: one.written_at)


def remove(found: Unfinished) -> None:
    """Deletes the checkpoints of one training."""
    shutil.rmtree(found.folder)


def _seen(project: Project, folder: Path) -> Unfinished:
    name, _, key = folder.name.rpartition("-")
    files, whole = list(folder.iterdir()), Checkpoints(folder).files()
    return Unfinished(
        folder,
        name,
        key,
        int(whole[0].name.split("-")[1]) if whole else 0,
        sum(file.stat().st_size for file in files),
        max(file.stat().st_mtime for file in [folder, *files]),
        *_fits(project, name, folder),
    )


def _fits(project: Project, name: str, folder: Path) -> tuple[bool | None, str]:
    if name not in project.index.experiments:
        return False, "no such experiment"
    try:
        current = checkpoints(project, project.experiment(name)).folder
    except GenpipeError as error:
        return None, f"cannot be told: {str(error).splitlines()[0]}"
    return (True, "goes on") if current == folder else (False, "changed since")
