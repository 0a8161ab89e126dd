"""The smoke profile of every recipe, as it stands, through the whole graph; a new recipe needs no word here."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from genpipe.composing import Wish, plan, recipes
from genpipe.config import Project

ROOT = Path(__file__).parents[1]
INDEX = """\
seed: 0
datasets:
  tiny: {source: digits, size: SIZE, fit: pad}
  binary: {source: digits, size: SIZE, fit: pad, binarise: sampled}
  points: {source: mixture, size: 1, images: 2000, test_images: 200, extractors: [pixels]}
  drawn: {source: shapes, size: SIZE, images: 400, test_images: 200}
  sweeps: {source: shapes, size: SIZE, images: 400, test_images: 200, sweep_images: 10}
  views: {source: solids, size: SIZE, images: 120, test_images: 30}
  few: {source: digits, size: SIZE, fit: pad, labelled: 50}
reference:
  extractors:
    classifier: {channels: [8, 16], features: 16}
  optim:
    classifier: {lr: 0.01}
  train: {steps: 60, batch_size: 64}
experiments: {}
"""
SIZE = 16
"""The least at which every system can be built and scored."""

SMALL = {
    "mnist5k": "tiny",
    "binary_mnist5k": "binary",
    "mixture": "points",
    "shapes": "drawn",
    "shape_sweeps": "sweeps",
    "solids": "views",
    "few_labels": "few",
}
"""For each data set that recipes are written for a small one of its kind."""

pytestmark = [pytest.mark.graph, pytest.mark.timeout(1500)]


def experiment_of(recipe: str) -> str:
    """What the experiment of a recipe is called here; a name of an experiment has no slash."""
    return recipe.replace("/", "-")


def data_of(recipe: str) -> str:
    """Small data of the kind that a recipe is for."""
    return SMALL[recipes.recipe(recipe).data]


def run(root: Path, *words: str) -> str:
    """What a command prints, both streams."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW", "DVC_", "GIT_"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        words, cwd=root, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def stages_run(root: Path) -> set[str]:
    return set(re.findall(r"Running stage '(\S+)'", run(root, "dvc", "repro")))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one small experiment of every recipe, called like it, after its first run."""
    root: Path = tmp_path_factory.mktemp("recipes")
    for name in ("genpipe", "stages"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, root)
    (root / "params.yaml").write_text(INDEX.replace("SIZE", str(SIZE)))
    run(root, "git", "init", "-q")
    run(root, "dvc", "init", "-q")
    for name in recipes.names():
        plan(Project(root), Wish(experiment_of(name), name, data=data_of(name), profile="smoke")).write()
    own = {f"{stage}@{experiment_of(name)}" for name in recipes.names() for stage in ("train", "sample", "evaluate")}
    of_data = {f"{stage}@{data}" for data in SMALL.values() for stage in ("prepare", "reference")}
    assert stages_run(root) == {"check", "report"} | of_data | own
    return root


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_ends_with_scores_curves_and_pictures(root: Path, name: str) -> None:
    experiment = Project(root).experiment(name := experiment_of(name))
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
    rows = (root / "reports" / "leaderboard.csv").read_text()
    assert all(f",{experiment_of(name)}," in rows for name in recipes.names())


def test_nothing_runs_twice(root: Path) -> None:
    assert stages_run(root) == set()
