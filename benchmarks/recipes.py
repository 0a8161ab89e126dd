"""What training costs, by recipe and profile.

    python benchmarks/recipes.py [--profile smoke] [--machine "two cores of an AMD EPYC"] [--set KEY=VALUE] [RECIPE ...]

Run it alone on a machine, in the project's root. It prints the line that goes under `recipe.cost` of each recipe: the
seconds of the stage `train`, on the wall, in a project of its own with the data sets of this one.
"""

import argparse
import json
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from genpipe import paths
from genpipe.config.project import Project
from genpipe.project import recipes
from genpipe.project.new_experiment import ExperimentRequest, plan

ROOT = Path(__file__).parents[1]


def project(root: Path) -> None:
    """A project without experiments, with the index of this one."""
    for name in ("genpipe", "stages"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", root)
    above, _, _ = (ROOT / paths.INDEX).read_text(encoding="utf-8").partition("\nexperiments:")
    (root / paths.INDEX).write_text(f"{above}\nexperiments: {{}}\n", encoding="utf-8")
    for words in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        subprocess.run(words, cwd=root, check=True)


def train_sec(root: Path, recipe: str, profile: str, changes: list[str]) -> float:
    """Seconds of the stage `train` of one recipe, with the profile's knobs and some others."""
    name = recipe.replace("/", "-")
    plan(Project(root), ExperimentRequest(name, recipe, profile=profile, sets=changes)).write()
    subprocess.run(["dvc", "repro", "-q", f"train@{name}"], cwd=root, check=True)
    return float(json.loads((root / paths.timing("train", name)).read_text())["wall_sec"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("recipes", nargs="*", default=recipes.names())
    parser.add_argument("--profile", choices=recipes.PROFILES, default="smoke")
    parser.add_argument("--set", action="append", default=[], dest="changes", metavar="KEY=VALUE")
    parser.add_argument("--machine", default="this machine")
    given = parser.parse_args()
    with TemporaryDirectory(prefix="genpipe-") as folder:
        project(Path(folder))
        for recipe in given.recipes:
            sec = train_sec(Path(folder), recipe, given.profile, given.changes)
            print(f"{recipe}: {given.profile}: {{sec: {sec:.2g}, machine: {given.machine}}}", flush=True)
