"""A training under `dvc repro` that is stopped and killed in every way ends as one that was left alone."""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from genpipe.training.checkpoints import Checkpoints
from genpipe.training.curves import read_curves

ROOT = Path(__file__).parents[1]
KILLS = 20
PARAMS = """\
seed: 0
datasets:
  tiny: {source: digits, size: 16, fit: crop, test_images: 360}
reference:
  extractors:
    classifier: {channels: [8, 16], features: 16}
  optim:
    classifier: {lr: 0.01}
  train: {steps: 60, batch_size: 64}
experiments:
  calm: {model: vae, data: tiny}
  killed: {model: vae, data: tiny}
"""
PIPELINE = """\
seed: 0
model: {body: mlp, widths: [512, 512], latent_dim: 16}
optim:
  autoencoder: {lr: 0.001}
train: {steps: 400, batch_size: 32, average_halflife_images: 2000, log_every_steps: 7, checkpoint_every_steps: 5}
sample: {images: 60, batch_size: 30}
evaluate:
  metrics: {fid: {}}
analyses: {}
"""
"""So large and so often written that about half of the time goes into checkpoints."""

pytestmark = [pytest.mark.graph, pytest.mark.timeout(1200)]


class Project:
    """A clone of this repository with the same experiment under two names."""

    def __init__(self, root: Path) -> None:
        self.root = root
        bin_folder = str(Path(sys.executable).parent)
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW", "DVC_", "GIT_"))},
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(root),
            "GIT_CONFIG_GLOBAL": os.devnull,
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A command in a process group of its own, as a terminal runs it."""
        return subprocess.Popen(
            words,
            cwd=self.root,
            env=self.environment,
            start_new_session=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *words: str, status: int = 0) -> str:
        """What a command prints, both streams."""
        started = self.start(*words)
        said, _ = started.communicate()
        assert started.returncode == status, said
        assert "Traceback" not in said, said
        return said

    def files(self, pattern: str) -> set[Path]:
        """Files of the checkpoints of `killed`."""
        return set(self.root.glob(f".genpipe/checkpoints/killed-*/{pattern}"))

    def repro_until_checkpoints(self, count: int) -> subprocess.Popen[str]:
        """A `dvc repro` that has just written so many new checkpoints."""
        seen, started = self.files("step-*.pt"), self.start("dvc", "repro", "train@killed")
        for _ in range(count):
            while not (fresh := self.files("step-*.pt") - seen):
                assert started.poll() is None, started.communicate()[0]
                time.sleep(0.0005)
            seen |= fresh
        return started

    def digests(self, name: str) -> dict[str, str]:
        """The SHA-256 of everything that a training leaves."""
        left = [*(self.root / "runs" / name / "model").iterdir(), self.root / f"reports/curves/{name}.csv"]
        return {file.name.replace(name, "NAME"): hashlib.sha256(file.read_bytes()).hexdigest() for file in left}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The clone with its data prepared."""
    made = Project(tmp_path_factory.mktemp("killed") / "a folder")
    made.root.mkdir()
    for name in ("genpipe", "stages"):
        shutil.copytree(ROOT / name, made.root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, made.root)
    (made.root / "params.yaml").write_text(PARAMS)
    (made.root / "pipelines").mkdir()
    for name in ("calm", "killed"):
        (made.root / "pipelines" / f"{name}.yaml").write_text(PIPELINE)
    made.run("git", "init", "-q")
    made.run("dvc", "init", "-q")
    made.run("dvc", "repro", "prepare@tiny")
    return made


def test_ctrl_c_saves_and_a_second_repro_goes_on(project: Project) -> None:
    started = project.repro_until_checkpoints(1)
    os.killpg(started.pid, signal.SIGINT)
    said, _ = started.communicate()
    stopped = re.search(r"stopped after step (\d+) of 400. `dvc repro` goes on from step (\d+).", said)
    assert stopped, said
    assert stopped[1] == stopped[2]
    assert re.search(r"exited with (130|-2)\b", said), "bash passes the status on, dash dies of the signal after it"
    assert "Traceback" not in said
    assert started.returncode == 255, "what dvc says of a stage that failed"
    assert [file for file in project.files("step-*.pt") if int(file.name[5:14]) == int(stopped[1])]


def trains(process: psutil.Process) -> bool:
    """Whether a process is a training, and not the shell that started it."""
    return [Path(word).name for word in process.cmdline()[1:3]] == ["genpipe-stage", "train"]


def test_a_training_whose_dvc_is_killed_saves_and_ends(project: Project) -> None:
    started = project.repro_until_checkpoints(1)
    training = next(p for p in psutil.Process(started.pid).children(recursive=True) if trains(p))
    started.kill()
    training.wait(timeout=20)
    assert "stopped after step" in started.communicate()[0]
    assert not project.files(Checkpoints.UNFINISHED)


def test_twenty_kills_change_no_bit_and_log_no_step_twice(project: Project) -> None:
    """SIGKILL, at random moments and while a checkpoint is written, to the training alone or with DVC."""
    calm = project.start("genpipe-stage", "train", "calm")
    draw, left_half_written = random.Random(5), 0
    for number in range(KILLS):
        started = project.repro_until_checkpoints(draw.randint(1, 3))
        if number % 2:
            while not project.files(Checkpoints.UNFINISHED):
                time.sleep(0.0005)
        else:
            time.sleep(draw.uniform(0, 0.05))
        if draw.random() < 0.5:
            os.killpg(started.pid, signal.SIGKILL)
        else:
            family = psutil.Process(started.pid).children(recursive=True)
            next(p for p in family if trains(p)).kill()
        started.communicate()
        left_half_written += bool(project.files(Checkpoints.UNFINISHED))
    assert left_half_written >= KILLS // 5
    project.run("dvc", "repro", "train@killed")
    said, _ = calm.communicate()
    assert calm.returncode == 0, said
    assert json.loads((project.root / "runs/timings/train/killed.json").read_text())["facts"]["resumed_from_step"] > 100
    assert project.digests("killed") == project.digests("calm")
    assert {"model.safetensors", "NAME.csv"} < project.digests("calm").keys()
    assert history(project, "killed") == history(project, "calm") == expected(project)


def history(project: Project, name: str) -> dict[str, list[tuple[int, float]]]:
    """The curves that MLflow has of an experiment's only run."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{project.root}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("genpipe").experiment_id])
    (run,) = [run for run in runs if run.info.run_name == name]
    assert run.info.status == "FINISHED"
    curves = [key for key in run.data.metrics if key.startswith("autoencoder/")]
    return {key: sorted((m.step, m.value) for m in client.get_metric_history(run.info.run_id, key)) for key in curves}


def expected(project: Project) -> dict[str, list[tuple[int, float]]]:
    """The same from the file: each step once."""
    rows = read_curves(project.root / "reports/curves/calm.csv")
    assert [row["step"] for row in rows] == [*range(7, 400, 7), 400]
    return {key: [(int(row["step"]), row[key]) for row in rows] for key in rows[0] if key != "step"}
