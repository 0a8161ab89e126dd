"""What stages and commands cost besides their work: python benchmarks/startup.py [--rounds 3].

A project of its own goes through the graph, stage by stage, with so little to do that nearly all is overhead: the
images are those of `digits` and a training has four steps. Processor seconds are told beside those on the wall, for
they say more on a machine that does other things too. `noted` is what the stage itself puts down in runs/timings; what
is above it was spent on Python, imports and the end of the process.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NamedTuple

from genpipe import paths
from genpipe.composing import Wish, plan
from genpipe.config import Project

ROOT = Path(__file__).parents[1]
INDEX = """\
seed: 0
datasets:
  tiny: {source: digits, size: 16, fit: pad}
reference:
  extractors:
    classifier: {channels: [8, 16], features: 16}
  optim:
    classifier: {lr: 0.01}
  train: {steps: 4, batch_size: 64}
experiments: {}
"""
STAGES = (
    {"code": [], "check": [], "prepare": ["tiny"], "reference": ["tiny"]}
    | {stage: ["first"] for stage in ("train", "sample", "evaluate")}
    | {"report": []}
)
COMMANDS = (["--help"], ["list", "systems"], ["list", "metrics"], ["show", "first"], ["compare"], ["check"])


class Spent(NamedTuple):
    """What a process took."""

    wall_sec: float
    processor_sec: float


@contextmanager
def project() -> Iterator[Path]:
    """The root of a project with one small experiment."""
    with TemporaryDirectory(prefix="genpipe-") as folder:
        root = Path(folder)
        for name in ("genpipe", "stages"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "dvc.yaml", root)
        (root / paths.INDEX).write_text(INDEX)
        for words in (["git", "init", "-q"], ["dvc", "init", "-q"]):
            subprocess.run(words, cwd=root, check=True)
        plan(Project(root), Wish("first", "vae", data="tiny", profile="smoke", sets=["train.steps=4"])).write()
        yield root


def spent(root: Path, *words: str) -> Spent:
    """What `python words` takes in a project."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    begun, before = perf_counter(), os.times()
    done = subprocess.run(
        [sys.executable, *words], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Spent(perf_counter() - begun, used)


def middle(rounds: list[Spent]) -> Spent:
    """The median of each figure."""
    return Spent(*(median(column) for column in zip(*rounds, strict=True)))


def of_stages(root: Path, rounds: int) -> None:
    """Prints a row a stage."""
    print("| stage | imports, processor s | whole, processor s | whole, wall s | noted, wall s | above it, wall s |")
    print("|:--|--:|--:|--:|--:|--:|")
    nothing = middle([spent(root, "-c", "") for _ in range(rounds)])
    for stage, words in STAGES.items():
        imports = middle([spent(root, "-c", f"import genpipe.stages.{stage}") for _ in range(rounds)])
        runs, noted = [], []
        for _ in range(rounds):
            runs.append(spent(root, f"stages/{stage}.py", *words))
            file = root / paths.timing(stage, words[0]) if words else None
            noted.append(json.loads(file.read_text())["wall_sec"] if file else 0.0)
        whole, own = middle(runs), median(noted)
        told = f"{own:.2f} | {whole.wall_sec - own:.2f}" if words else "– | –"
        mine = imports.processor_sec - nothing.processor_sec
        print(f"| {stage} | {mine:.2f} | {whole.processor_sec:.2f} | {whole.wall_sec:.2f} | {told} |", flush=True)


def of_commands(root: Path, rounds: int) -> None:
    """Prints a row a command."""
    print("\n| command | processor s | wall s |\n|:--|--:|--:|")
    for words in COMMANDS:
        took = middle([spent(root, "-m", "genpipe.cli", *words) for _ in range(rounds)])
        print(f"| genpipe {' '.join(words)} | {took.processor_sec:.2f} | {took.wall_sec:.2f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with project() as root:
        of_stages(root, given.rounds)
        of_commands(root, given.rounds)
