"""An experiment that needs another and the classifier, in a real graph: in which order, and when again."""

import json
import re
from pathlib import Path

import pytest

from tests._forks import Forks
from tests._pages import blocks
from tests._projects import CODE, ROOT, Project
from tests.test_graph import PARAMS

pytestmark = [pytest.mark.graph, pytest.mark.timeout(600)]

(SHOWN,) = (block.body for block in blocks("python") if "HasPrerequisites" in block.body)
STUDENT = SHOWN.replace("(experiments=", '(extractors=("classifier",), experiments=')
KNOBS = """\
seed: 0
model: {architecture: mlp, widths: [16], latent_dim: 4MORE}
optim:
  autoencoder: {lr: 0.01}
train: {steps: 6, batch_size: 16, log_every_steps: 2}
sample: {images: 60, batch_size: 30}
evaluate: {metrics: {}}
analyses: {}
"""
EXPERIMENTS = """\
experiments:
  student: {model: student, data: tiny}
  teacher: {model: ae, data: tiny}
  other: {model: ae, data: tiny}
"""
TRAININGS = ("train@student", "train@other")
STAGE = "stages/prerequisites/dvc.yaml:student"


def ran(graph: Project, *words: str) -> list[str]:
    """The stages that a command of DVC runs, in order, besides `code`."""
    found = re.findall(r"Running stage '(\S+)'", graph.run("dvc", *words))
    assert found[0] == CODE
    return found[1:]


def noted(graph: Project, name: str) -> dict[str, str]:
    return json.loads((graph.root / f"runs/prerequisites/{name}.json").read_text())


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Project:
    """A project with a package of its own, in which nothing has run."""
    made = Project(tmp_path_factory.mktemp("graph") / "a folder", forks)
    made.begin()
    made.environment |= {
        "PYTHONPATH": f"{made.root}:{ROOT}",
        "MLFLOW_TRACKING_URI": str(made.root / "mlruns"),
    }
    index = PARAMS.replace("experiments: {}\n", EXPERIMENTS).replace("seed: 0\n", "package: lab\nseed: 0\n")
    files = {"params.yaml": index, "lab/__init__.py": "", "lab/models/student.py": STUDENT}
    for name, more in (("student", ", teacher: teacher"), ("teacher", ""), ("other", "")):
        files[f"pipelines/{name}.yaml"] = KNOBS.replace("MORE", more)
    for file, text in files.items():
        (made.root / file).parent.mkdir(parents=True, exist_ok=True)
        (made.root / file).write_text(text)
    made.run("genpipe", "init", "--refresh")
    return made


def test_it_trains_after_what_it_needs_and_once(graph: Project) -> None:
    order = ran(graph, "repro", *TRAININGS)
    assert sorted(order) == sorted(["check", "prepare@tiny", "reference@tiny", "train@teacher", STAGE, *TRAININGS])
    assert order.index(STAGE) > max(order.index("train@teacher"), order.index("reference@tiny"))
    assert order.index("train@student") > order.index(STAGE)
    assert set(noted(graph, "student")) == {"runs/reference/tiny/classifier", "runs/teacher/model"}
    assert noted(graph, "other") == noted(graph, "teacher") == {}
    assert ran(graph, "repro", *TRAININGS) == []


def test_others_neither_wait_nor_are_trained_again(graph: Project) -> None:
    plain = graph.run("dvc", "dag", "--md", "train@other")
    assert "reference@tiny" not in plain
    assert "prerequisites" not in plain
    graph.edit("pipelines/teacher.yaml", "lr: 0.01", "lr: 0.02")
    before = noted(graph, "student")
    assert ran(graph, "repro", *TRAININGS) == ["check", "train@teacher", STAGE, "train@student"]
    now = noted(graph, "student")
    assert [place for place in now if now[place] != before[place]] == ["runs/teacher/model"]


def test_an_experiment_of_dvc_and_a_clone(graph: Project, tmp_path: Path) -> None:
    graph.commit("more")
    turned = ("-S", "pipelines/student.yaml:train.steps=5")
    assert ran(graph, "exp", "run", "-n", "short", *turned, *TRAININGS) == ["check", "train@student"]
    graph.commit("more")
    assert graph.run("git", "ls-files", "stages/prerequisites").split() == [
        "stages/prerequisites/dvc.lock",
        "stages/prerequisites/dvc.yaml",
    ]
    clone = Project(tmp_path / "clone", graph.forks)
    clone.environment["PYTHONPATH"] = f"{clone.root}:{ROOT}"
    graph.run("git", "clone", "-q", str(graph.root), str(clone.root))
    clone.run("dvc", "cache", "dir", "--local", str(graph.root / ".dvc" / "cache"))
    clone.run("dvc", "checkout", "-q", *TRAININGS, "train@teacher", "reference@tiny", "check", "--allow-missing")
    assert ran(clone, "repro", *TRAININGS) == [STAGE]
    assert clone.run("git", "status", "--porcelain") == ""
