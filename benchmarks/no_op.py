"""What `dvc repro` takes when there is nothing to do: python benchmarks/no_op.py [--experiments 40] [--rounds 5].

A project gets so many experiments, whose stages write empty files and folders instead of their work; only `code` is
the real one. The same project without the stage `code`, whose files then are there as any others, shows what DVC
takes by itself. The two take turns. Processor seconds say more than those on the wall where a machine does other
things too.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import yaml

from genpipe import paths
from genpipe.config.project import Project
from genpipe.files import write_text
from genpipe.project.new_experiment import ExperimentRequest, plan

ROOT = Path(__file__).parents[1]
RECIPES = ("vae", "ae", "gan", "dcgan")
INDEX = """\
seed: 0
datasets:
  tiny: {source: digits, image_size: 16, resize_mode: pad}
reference:
  extractors:
    classifier: {channels: [8, 16], features: 16}
  optim:
    classifier: {lr: 0.01}
  train: {steps: 4, batch_size: 64}
experiments: {}
"""
NOTHING = """\
import sys
from pathlib import Path

for path in map(Path, sys.argv[1:]):
    (path.parent if path.suffix else path).mkdir(parents=True, exist_ok=True)
    if path.suffix:
        path.touch()
"""


def make(root: Path, experiments: int) -> None:
    """Writes a project whose stages, but for `code`, write empty files, and runs it once."""
    for name in ("genpipe", "stages"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, root)
    (root / paths.INDEX).write_text(INDEX)
    for k in range(experiments):
        plan(Project(root), ExperimentRequest(f"e{k}", RECIPES[k % len(RECIPES)], data="tiny", profile="smoke")).write()
    (root / "nothing.py").write_text(NOTHING)
    stages = yaml.safe_load((root / paths.WIRING).read_text())
    for stage in stages["stages"].values():
        body = stage.get("do", stage)
        body["cmd"] = shlex.join([sys.executable, "nothing.py", *_written(body)]).replace("'", "")
    write_text(root / paths.WIRING, yaml.safe_dump(stages, sort_keys=False))
    for words in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "repro", "-q"]):
        subprocess.run(words, cwd=root, check=True, env=environment(root))


def _written(body: Mapping[str, Any]) -> Iterator[str]:
    """The files that stand for what a stage writes."""
    for entry in [*body.get("outs", []), *body.get("metrics", []), *body.get("plots", [])]:
        path = entry if isinstance(entry, str) else next(iter(entry))
        yield path if path != str(paths.SOURCE_STATES) else str(paths.source_state("tiny"))


def environment(root: Path) -> dict[str, str]:
    """That of a project with its own library."""
    return {**os.environ, "PYTHONPATH": str(root), "DVC_NO_ANALYTICS": "1"}


def nothing_to_do(root: Path) -> tuple[float, float]:
    """The seconds on the wall, and of processors, that `dvc repro` takes."""
    begun, before = perf_counter(), os.times()
    done = subprocess.run(["dvc", "repro"], cwd=root, env=environment(root), capture_output=True, text=True, check=True)
    wall_sec, after = perf_counter() - begun, os.times()
    assert set(re.findall(r"Running stage '(\S+)'", done.stdout)) <= {f"{paths.CODE_WIRING}:code"}, done.stdout
    return wall_sec, after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--experiments", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with TemporaryDirectory(prefix="genpipe-") as folder:
        whole, without = Path(folder) / "whole", Path(folder) / "without"
        whole.mkdir()
        make(whole, given.experiments)
        shutil.copytree(whole, without, symlinks=True)
        (without / paths.CODE_WIRING).unlink()
        stages = yaml.safe_load((without / paths.WIRING).read_text())
        del stages["stages"]["check"]["vars"]  # without it DVC would refuse
        write_text(without / paths.WIRING, yaml.safe_dump(stages, sort_keys=False))
        ways = {"with the stage `code`": whole, "without it": without}
        took = {way: [] for way in ways}
        for _ in range(given.rounds + 1):
            for way, root in ways.items():
                took[way].append(nothing_to_do(root))
        print("| `dvc repro` with nothing to do | wall s | processor s |\n|:--|--:|--:|")
        for way, rounds in took.items():
            wall_sec, processor_sec = (median(column) for column in zip(*rounds[1:], strict=True))
            print(f"| {given.experiments} experiments, {way} | {wall_sec:.2f} | {processor_sec:.2f} |")
