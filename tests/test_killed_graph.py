"""A training under `dvc repro` that is stopped and killed in every way ends as one that was left alone."""

import hashlib
import json
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from genpipe.training.checkpoints import Checkpoints
from genpipe.training.curves import read_curves
from tests._forks import Fork, Forks
from tests._projects import Project

Started = Fork | subprocess.Popen[str]
KILLS = 20
PARAMS = """\
seed: 0
datasets:
  tiny: {source: digits, image_size: 16, resize_mode: crop, test_images: 360}
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
model: {architecture: mlp, widths: [512, 512], latent_dim: 16}
optim:
  autoencoder: {lr: 0.001}
train: {steps: 400, batch_size: 32, ema_halflife_images: 2000, log_every_steps: 7, checkpoint_every_steps: 5}
sample: {images: 60, batch_size: 30}
evaluate:
  metrics: {fid: {}}
analyses: {}
"""
"""So large and so often written that about half of the time goes into checkpoints."""

pytestmark = [pytest.mark.graph, pytest.mark.timeout(600)]


class Graph(Project):
    """A clone of this repository with the same experiment under two names."""

    def files(self, pattern: str) -> set[Path]:
        """Files of the checkpoints of `killed`."""
        return set(self.root.glob(f".genpipe/checkpoints/killed-*/{pattern}"))

    def until_checkpoints(self, started: Started, count: int = 1) -> Started:
        """A program that has just started, once it has written so many new checkpoints."""
        seen = self.files("step-*.pt")
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
def graph(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Graph:
    """The clone with its data prepared."""
    made = Graph(tmp_path_factory.mktemp("killed") / "a folder", forks)
    made.begin("genpipe")
    (made.root / "params.yaml").write_text(PARAMS)
    (made.root / "pipelines").mkdir()
    for name in ("calm", "killed"):
        (made.root / "pipelines" / f"{name}.yaml").write_text(PIPELINE)
    made.repro("prepare@tiny")
    return made


def test_ctrl_c_saves_and_a_second_repro_goes_on(graph: Graph) -> None:
    started = graph.until_checkpoints(graph.start_process("dvc", "repro", "train@killed"))
    os.killpg(started.pid, signal.SIGINT)
    said, _ = started.communicate()
    stopped = re.search(r"stopped after step (\d+) of 400. `dvc repro` goes on from step (\d+).", said)
    assert stopped, said
    assert stopped[1] == stopped[2]
    assert re.search(r"exited with (130|-2)\b", said), "bash passes the status on, dash dies of the signal after it"
    assert "Traceback" not in said
    assert started.returncode == 255, "what dvc says of a stage that failed"
    assert [file for file in graph.files("step-*.pt") if int(file.name[5:14]) == int(stopped[1])]


def trains(process: psutil.Process) -> bool:
    """Whether a process is a training, and not the shell that started it."""
    return [Path(word).name for word in process.cmdline()[1:3]] == ["genpipe-stage", "train"]


def test_a_training_whose_dvc_is_killed_saves_and_ends(graph: Graph) -> None:
    started = graph.until_checkpoints(graph.start_process("dvc", "repro", "train@killed"))
    training = next(p for p in psutil.Process(started.pid).children(recursive=True) if trains(p))
    started.kill()
    training.wait(timeout=20)
    assert "stopped after step" in started.communicate()[0]
    assert not graph.files(Checkpoints.UNFINISHED)


def test_twenty_kills_change_no_bit_and_log_no_step_twice(graph: Graph) -> None:
    """SIGKILL, at random moments and while a checkpoint is written, to a training alone, below DVC, or with DVC."""
    calm = graph.start("genpipe-stage", "train", "calm")
    draw, left_half_written = random.Random(5), 0
    for number in range(KILLS):
        with_dvc = number % 5 == 4
        words = ("dvc", "repro", "train@killed") if with_dvc else ("genpipe-stage", "train", "killed")
        started = graph.until_checkpoints(graph.start(*words), draw.randint(1, 3))
        if number % 2:
            while not graph.files(Checkpoints.UNFINISHED):
                time.sleep(0.0005)
        else:
            time.sleep(draw.uniform(0, 0.05))
        if draw.random() < 0.5:
            os.killpg(started.pid, signal.SIGKILL)
        else:
            (training,) = psutil.Process(started.pid).children() if with_dvc else [psutil.Process(started.pid)]
            training.kill()
        started.communicate()
        left_half_written += bool(graph.files(Checkpoints.UNFINISHED))
    assert left_half_written >= KILLS // 5
    graph.run("dvc", "repro", "train@killed")
    Project.said(calm)
    assert json.loads((graph.root / "runs/timings/train/killed.json").read_text())["facts"]["resumed_from_step"] > 100
    assert graph.digests("killed") == graph.digests("calm")
    assert {"model.safetensors", "NAME.csv"} < graph.digests("calm").keys()
    assert history(graph, "killed") == history(graph, "calm") == expected(graph)


def history(graph: Graph, name: str) -> dict[str, list[tuple[int, float]]]:
    """The curves that MLflow has of an experiment's only run."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{graph.root}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("genpipe").experiment_id])
    (run,) = [run for run in runs if run.info.run_name == name]
    assert run.info.status == "FINISHED"
    curves = [key for key in run.data.metrics if key.startswith("autoencoder/")]
    return {key: sorted((m.step, m.value) for m in client.get_metric_history(run.info.run_id, key)) for key in curves}


def expected(graph: Graph) -> dict[str, list[tuple[int, float]]]:
    """The same from the file: each step once."""
    rows = read_curves(graph.root / "reports/curves/calm.csv")
    assert [row["step"] for row in rows] == [*range(7, 400, 7), 400]
    return {key: [(int(row["step"]), row[key]) for row in rows] for key in rows[0] if key != "step"}
