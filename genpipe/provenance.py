"""Where a result came from: keys of all that decides it, the commit, DVC's hash of the data."""

import subprocess
from pathlib import Path

from genpipe import document, fingerprints, paths
from genpipe.config import Experiment, Project
from genpipe.data._storage import Prepared

_CODE = ("genpipe", "stages", "pipelines", "*.yaml")
_GIT_SEC = 30.0
"""So long git may take to answer."""


def result_key(project: Project, experiment: Experiment) -> str:
    """A short hash of all that decides a training's result: its knobs, its data and the code that it runs."""
    prepared = Prepared.open(project.root / paths.data(experiment.data.name))
    code = fingerprints.digest(fingerprints.of_stage(project.root, "train", experiment.name))
    return experiment.key("system", "seed", "model", "optim", "train", also=[prepared.sha256, code])


def run_key(project: Project, experiment: Experiment) -> str:
    """A short hash of all that decides an experiment's scores: its training, its sampling, its evaluation."""
    return experiment.key(also=result_key(project, experiment))


def data_digest(project: Project, experiment: Experiment) -> str:
    """A short hash of the prepared images and labels."""
    return Prepared.open(project.root / paths.data(experiment.data.name)).sha256[:16]


def origin(project: Project, experiment: Experiment) -> dict[str, str]:
    """What is known of an experiment's origin, as tags of a run."""
    commit = (git(project.root, "rev-parse", "HEAD") or "").strip()
    own = project.index.package
    changed = git(project.root, "status", "--porcelain", "-uno", "--", *_CODE, *([own] if own else []))
    data_md5 = _dvc_hash(project.root, f"prepare@{experiment.data.name}", paths.data(experiment.data.name))
    return {
        "mlflow.source.name": "dvc repro",
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


def git(root: Path, *words: str) -> str | None:
    """What git prints, or None where there is no git or no commit, no text, or no answer in time."""
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, check=True, timeout=_GIT_SEC)
        return done.stdout.decode("utf-8")
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
