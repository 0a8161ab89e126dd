"""Where a result came from: the commit, whether the tree differs from it, DVC's hash of the data."""

import subprocess
from pathlib import Path

from genpipe import document, paths
from genpipe.config import Experiment, Project


def origin(project: Project, experiment: Experiment) -> dict[str, str]:
    """What is known of an experiment's origin, as tags of a run."""
    commit = _git(project.root, "rev-parse", "HEAD")
    changed = _git(project.root, "status", "--porcelain", "-uno", "--", "genpipe", "stages", "pipelines", "*.yaml")
    data_md5 = _dvc_hash(project.root, f"prepare@{experiment.data.name}", paths.data(experiment.data.name))
    return {
        "genpipe.system": experiment.model_name,
        "genpipe.data": experiment.data.name,
        **({"mlflow.source.git.commit": commit, "git.dirty": str(bool(changed)).lower()} if commit else {}),
        **({"dvc.data_md5": data_md5} if data_md5 else {}),
    }


def _dvc_hash(root: Path, stage: str, output: Path) -> str | None:
    """The hash that dvc.lock gives an output of a stage, if it does."""
    lock = root / "dvc.lock"
    stages = document.read(lock).value["stages"] if lock.exists() else {}
    outputs = stages.get(stage, {}).get("outs", [])
    return next((out["md5"] for out in outputs if out["path"] == output.as_posix()), None)


def _git(root: Path, *arguments: str) -> str | None:
    """What git prints, or None where there is no git or no commit."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
