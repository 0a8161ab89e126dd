"""The whole graph at smoke size, in a folder with a space in its name: which stages run after which edit."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from genpipe import fingerprints
from tests._forks import Forks
from tests._projects import CODE, Project

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
experiments: {}
"""
FLAT = [
    *("model.architecture=mlp", "model.widths=[16]", "sample.images=60", "sample.batch_size=60"),
    *("evaluate.metrics.inception_score.splits=2", "train.ema_halflife_images=null"),
]

pytestmark = [pytest.mark.graph, pytest.mark.timeout(600)]


class Graph(Project):
    """A clone of this repository with two small experiments."""

    def scores(self, name: str) -> dict:
        return json.loads((self.root / f"reports/scores/{name}.json").read_text())


def stages(name: str, *which: str) -> set[str]:
    return {f"{stage}@{name}" for stage in which or ("train", "sample", "evaluate")}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Graph:
    """The graph after its first run."""
    made = Graph(tmp_path_factory.mktemp("graph") / "a folder", forks)
    made.begin("genpipe")
    (made.root / "params.yaml").write_text(PARAMS)
    for name, recipe in (("one", "vae"), ("two", "gan")):
        sets = [f"--set={s}" for s in FLAT if recipe == "vae" or "architecture" not in s]
        made.run("genpipe", "new-experiment", name, "--recipe", recipe, "--data", "tiny", "--profile", "smoke", *sets)
    ran = made.repro()
    assert ran == {"check", "prepare@tiny", "reference@tiny", "report"} | stages("one") | stages("two")
    made.commit("first")
    return made


def test_everything_is_there_after_the_first_run(graph: Graph) -> None:
    for name in ("one", "two"):
        scores = graph.scores(name)
        how = scores["how"]["fid_classifier"]
        assert scores["fid_classifier"] > how["real"] > 0
        assert (how["fake_images"], how["training_images"]) == (60, 1437)
        assert {type(v) for k, v in scores.items() if k != "how"} <= {int, float}
        assert (graph.root / f"reports/figures/{name}/sample_grid.png").exists()
        assert (graph.root / f"reports/curves/{name}.csv").read_text().startswith("step,")
    page = (graph.root / "reports/index.html").read_text()
    assert "one" in page
    assert "two" in page
    assert (graph.root / "reports/leaderboard.csv").read_text().splitlines()[1].startswith("tiny,real-held-out,")
    assert graph.run("git", "status", "--porcelain") == "", "a run leaves nothing that git asks about"


def test_nothing_runs_twice(graph: Graph) -> None:
    assert graph.repro() == set()


def test_a_person_s_pictures_are_told_from_what_stages_have_made(graph: Graph) -> None:
    (graph.root / "dvc.lock").rename(graph.root / "away")
    assert graph.run("genpipe", "check") == "2 experiments are fine\n"
    (graph.root / "away").rename(graph.root / "dvc.lock")
    mine, before = graph.root / "data" / "mine" / "a.png", (graph.root / "params.yaml").read_text()
    mine.parent.mkdir()
    mine.write_bytes(b"a picture")
    graph.edit("params.yaml", "datasets:\n", "datasets:\n  mine: {source: shapes, image_size: 16}\n")
    assert "error: data/mine/a.png would be deleted: a stage writes" in graph.run("dvc", "repro", status=255)
    assert mine.read_bytes() == b"a picture"
    shutil.rmtree(mine.parent)
    graph.edit("params.yaml", "  mine: {source: shapes, image_size: 16}\n", "")
    (mine := graph.root / "data" / "tiny" / "a.png").write_bytes(b"a picture")
    assert "error: data/tiny/a.png would be deleted: a stage writes" in graph.run("dvc", "repro", status=255)
    assert mine.read_bytes() == b"a picture"
    mine.unlink()
    (graph.root / "params.yaml").write_text(before)
    assert graph.repro() <= {"check"}


def test_a_sampling_knob_never_retrains(graph: Graph) -> None:
    graph.edit("pipelines/one.yaml", "  images: 60", "  images: 80")
    assert graph.repro() == {"check", "report"} | stages("one", "sample", "evaluate")
    assert graph.scores("one")["how"]["fid_classifier"]["fake_images"] == 80


def test_the_code_of_one_model_leaves_the_others_alone(graph: Graph) -> None:
    graph.edit("genpipe/models/gan.py", "nn.LeakyReLU(0.2)", "nn.LeakyReLU(0.3)")
    shown = graph.run("genpipe", "show", "two")
    assert re.search(r"#   train@two +genpipe\.models\.gan has changed", shown)
    assert "No stage is stale" in graph.run("genpipe", "show", "one")
    assert graph.repro() == {"check", "report"} | stages("two")


def test_a_new_file_runs_nothing(graph: Graph) -> None:
    new = [graph.root / f"genpipe/{room}/another.py" for room in ("models", "metrics", "analyses", "nn", "training")]
    for file in new:
        shutil.copy(graph.root / "genpipe/models/gan.py", file)
    assert graph.repro() == set()
    for file in new:
        file.unlink()


def test_an_edit_of_one_metric_scores_again_and_makes_nothing_else(graph: Graph) -> None:
    graph.edit("genpipe/metrics/fid.py", '"""Fréchet', '"""The Fréchet')
    assert graph.repro() == {"check", "report"} | stages("one", "evaluate") | stages("two", "evaluate")


@pytest.mark.parametrize("stage", ["prepare tiny", "reference tiny", "train one", "sample one", "evaluate one"])
def test_a_stage_imports_nothing_that_its_fingerprint_lacks(graph: Graph, stage: str) -> None:
    name, key = stage.split()
    said = graph.run_process(sys.executable, "-X", "importtime", f"stages/{name}.py", key)
    imported = set(re.findall(r"\| +(genpipe(?:\.\w+)*)$", said, re.MULTILINE))
    assert "genpipe.stages.entry" in imported  # which imports the stage itself in a way that is not told
    code, checked = (json.loads((graph.root / f"runs/code/{f}.json").read_text()) for f in (f"{name}/{key}", "check"))
    read = fingerprints.of_modules(graph.root, fingerprints.FRAME) | checked  # to validate YAML, which `check` has done
    assert {module for module in imported if not fingerprints.framed(module)} <= {*code, *read}


def test_the_same_seed_gives_the_same_bytes(graph: Graph) -> None:
    files = ["runs/one/model/model.safetensors", "runs/one/samples/images.npy", "reports/scores/one.json"]
    before = [(graph.root / file).read_bytes() for file in files]
    ran = graph.run("dvc", "repro", "-f", "-s", "train@one", "sample@one", "evaluate@one")
    assert all(f"Running stage '{stage}'" in ran for stage in stages("one"))
    assert [(graph.root / file).read_bytes() for file in files] == before


def test_a_mistake_stops_everything_before_any_training(graph: Graph) -> None:
    graph.edit("pipelines/one.yaml", "latent_dim:", "latent_dmi:")
    graph.edit("pipelines/two.yaml", "lr: 2.0e-4", "lr: 3.0e-4")
    said = graph.run("dvc", "repro", status=255)
    assert re.search(
        r"error: pipelines/one\.yaml:\d+: model\.latent_dmi: unknown key\. Did you mean 'latent_dim'", said
    )
    assert "train@" not in said.replace("train@one' didn't", "")
    graph.run("git", "checkout", "-q", "pipelines/two.yaml")
    graph.edit("pipelines/one.yaml", "latent_dmi:", "latent_dim:")


def test_dvc_shows_figures_and_their_differences(graph: Graph) -> None:
    shown = json.loads(graph.run("dvc", "metrics", "show", "--json"))
    figures = shown[""]["data"]["reports/metrics/one.json"]["data"]
    assert figures == {k: v for k, v in graph.scores("one").items() if k != "how"}
    difference = graph.run("dvc", "metrics", "diff")
    assert re.search(r"reports/metrics/one\.json +fid_classifier", difference)
    assert "one.csv" in graph.run("dvc", "plots", "show", "--json")


def test_an_experiment_of_dvc_turns_a_knob_and_is_listed(graph: Graph) -> None:
    graph.commit("second")
    said = graph.run("dvc", "exp", "run", "-n", "wide", "-S", "pipelines/one.yaml:model.latent_dim=5")
    assert "Running stage 'train@one'" in said
    assert "Running stage 'train@two'" not in said
    assert "latent_dim: 5" in (graph.root / "pipelines/one.yaml").read_text()
    assert "wide" in graph.run("dvc", "exp", "show", "--csv")


def test_a_throw_away_copy_and_a_clone_train_nothing_again(graph: Graph, tmp_path: Path) -> None:
    said = graph.run("dvc", "exp", "run", "--temp", "-n", "same")
    assert set(re.findall(r"Running stage '(\S+)'", said)) <= {CODE}
    graph.commit("third")
    clone = Graph(tmp_path / "clone", graph.forks)
    graph.run("git", "clone", "-q", str(graph.root), str(clone.root))
    clone.run("dvc", "cache", "dir", "--local", str(graph.root / ".dvc" / "cache"))
    clone.run("dvc", "checkout", "-q")
    assert clone.repro() == set()
    assert clone.scores("one") == graph.scores("one")


def test_mlflow_holds_a_run_for_each_result(graph: Graph) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{graph.root}/mlflow.db")
    folder = client.get_experiment_by_name("genpipe").experiment_id
    runs = client.search_runs([folder])
    scores = graph.scores("one")
    mine = next(r for r in runs if r.data.tags["genpipe.key"] == scores["how"]["key"])
    assert mine.info.run_name == "one"
    assert mine.data.metrics["fid_classifier"] == pytest.approx(scores["fid_classifier"])
    assert mine.data.params["model.latent_dim"] == "5"
    assert {"mlflow.source.git.commit", "dvc.data_md5", "git.dirty"} <= mine.data.tags.keys()
    assert len(client.get_metric_history(mine.info.run_id, "autoencoder/loss")) == 2
    names = {a.path for a in client.list_artifacts(mine.info.run_id)}
    assert {"figures", "scores.json"} <= names
    keys = [r.data.tags["genpipe.key"] for r in runs]
    assert len(keys) == len(set(keys)), "one run for each experiment, not one for each stage"
