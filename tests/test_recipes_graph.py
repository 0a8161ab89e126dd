"""The smoke profile of every recipe, as it stands, through all stages; a new recipe needs no word here.

The stages run in this process, one after the other, as DVC would run each in one of its own; `test_graph.py` has DVC.
"""

import csv
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from genpipe.config.project import Project
from genpipe.project import graph, recipes
from genpipe.project.new_experiment import ExperimentRequest, plan
from genpipe.running.stages import single, stage
from genpipe.stages.check import check
from genpipe.stages.report import report
from tests._projects import wire

INDEX = """\
seed: 0
datasets:
  tiny: {source: digits, image_size: SIZE, resize_mode: pad}
  binary: {source: digits, image_size: SIZE, resize_mode: pad, binarize: sampled}
  points: {source: mixture, image_size: 1, images: 2000, test_images: 200, extractors: [pixels]}
  drawn: {source: shapes, image_size: SIZE, images: 400, test_images: 200}
  sweeps: {source: shapes, image_size: SIZE, images: 400, test_images: 200, sweep_images: 10}
  views: {source: solids, image_size: SIZE, images: 120, test_images: 30}
  few: {source: digits, image_size: SIZE, resize_mode: pad, num_labels: 50}
  lines: {source: digits, image_size: SIZE, resize_mode: pad, derive: {edges: {}}}
  quarter: {source: shapes, image_size: SIZE, images: 400, test_images: 200, derive: {low_resolution: {factor: 4}}}
  holes: {source: shapes, image_size: SIZE, images: 400, test_images: 200, derive: {holes: {}}}
  letters: {source: glyphs, image_size: SIZE, images: 780, test_images: 260, domains: [serif, sans]}
reference:
  extractors:
    classifier: {channels: [8, 16], features: 16}
  optim:
    classifier: {lr: 0.01}
  train: {steps: 60, batch_size: 64}
experiments: {}
"""
SIZE = 16
"""The least at which every model can be built and scored."""
SMALL = {
    "mnist5k": "tiny",
    "binary_mnist5k": "binary",
    "mixture": "points",
    "shapes": "drawn",
    "shape_sweeps": "sweeps",
    "solids": "views",
    "few_labels": "few",
    "edges": "lines",
    "shapes_x4": "quarter",
    "shapes_with_holes": "holes",
    "glyphs": "letters",
    "styled_glyphs": "letters",
}
"""For each data set that recipes are written for a small one of its kind."""

pytestmark = [pytest.mark.graph, pytest.mark.timeout(600)]


def experiment_of(recipe: str) -> str:
    """What the experiment of a recipe is called here; a name of an experiment has no slash."""
    return recipe.replace("/", "-")


def run(name: str, key: str) -> None:
    """A stage, as `genpipe-stage NAME KEY` in the current folder."""
    assert stage(name, import_module(f"genpipe.stages.{name}").run, [key]) == 0, f"{name} {key}"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project, the current folder, with one small experiment of every recipe, and its data sets ready."""
    root: Path = tmp_path_factory.mktemp("recipes")
    wire(root)
    (root / "params.yaml").write_text(INDEX.replace("SIZE", str(SIZE)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with pytest.MonkeyPatch.context() as unasked:  # DVC is asked once for all, by the check
            unasked.setattr(graph, "verify", lambda *_: None)
            for name in recipes.names():
                data = SMALL[recipes.recipe(name).data]
                plan(Project(root), ExperimentRequest(experiment_of(name), name, data=data, profile="smoke")).write()
        assert single("check", check) == 0
        for data in SMALL.values():
            run("prepare", data)
            run("reference", data)
        yield root


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_ends_with_scores_curves_and_pictures(root: Path, name: str) -> None:
    experiment = Project(root).experiment(name := experiment_of(name))
    for stage_name in ("train", "sample", "evaluate"):
        run(stage_name, name)
    scores = json.loads((root / "reports" / "scores" / f"{name}.json").read_text())
    of_metrics = {made["metric"] for made in scores["how"].values() if isinstance(made, dict) and "metric" in made}
    assert of_metrics == set(experiment.metrics)
    pictures = {file.stem for file in (root / "reports" / "figures" / name).glob("*.png")}
    assert pictures >= set(experiment.analyses)
    with (root / "reports" / "curves" / f"{name}.csv").open() as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    train = experiment.knobs.train
    assert steps == list(range(train.log_every_steps, train.steps + 1, train.log_every_steps))


def test_all_recipes_are_in_the_report(root: Path) -> None:
    assert single("report", report) == 0
    rows = (root / "reports" / "leaderboard.csv").read_text()
    assert all(f",{experiment_of(name)}," in rows for name in recipes.names())
