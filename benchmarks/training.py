"""The speed of training beside a bare loop, a DataLoader loop and pythae's trainer: python benchmarks/training.py.

Every figure comes from a process of its own, on made-up images, and is the median of some rounds, in which all ways
take turns. Run it on a machine that does nothing else. docs/performance.md says how to read the tables.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import _rivals
import lightning_fabric
import numpy as np
import torch
from _rivals import CHECKPOINT_EVERY_STEPS, HALFLIFE_IMAGES, WARM_UP, Found, Task, now, speeds, synchronized_now

from genpipe import registry
from genpipe.config.training import Optim, Train
from genpipe.dataset import batches as loading
from genpipe.dataset.batches import BatchLoader, StoredField
from genpipe.dataset.deriving import DerivedField
from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.training import loop, phase_step
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.curve_logger import CurveLogger
from genpipe.training.devices import fabric
from genpipe.training.ema import EMA


@dataclass(frozen=True)
class Case:
    """A model, and the data it is trained on."""

    size: int
    """Side of the images in pixels."""
    knobs: dict[str, Any] = dataclass_field(default_factory=dict)
    derive: tuple[str, ...] = ()
    """Fields that are made of the images; of random ones `fit` draws others for each batch, and the rivals do not."""
    domains: bool = False
    """Whether images of two domains take turns."""


MODELS = {
    "dcgan": Case(64, {"generator_channels": 64, "discriminator_channels": 64}),
    "vae": Case(32, {"architecture": "conv", "widths": [32, 64, 128], "latent_dim": 64}),
    "pix2pix": Case(32, {"generator_channels": 16, "discriminator_channels": 16}, derive=("edges",)),
    "cyclegan": Case(32, {"generator_channels": 16, "discriminator_channels": 16}, domains=True),
    "inpaint_gan": Case(32, {"generator_channels": 16, "discriminator_channels": 16}, derive=("holes",)),
}
CHANNELS, LOG_EVERY_STEPS = 3, 50
BARE = "bare loop"
SHARES = "shares"
PYTHAE = "pythae's trainer"


def fitted(task: Task, begin: Callable[[], None] = lambda: None, **train: Any) -> Found:
    """Images/s of `fit` with curves, average and checkpoints as in recipes, and the share of the time spent on data.

    `begin` is called after the warm-up.
    """
    device = fabric("auto")
    knobs = Train(
        steps=WARM_UP + task.steps,
        batch_size=task.batch_size,
        ema_halflife_images=HALFLIFE_IMAGES,
        log_every_steps=LOG_EVERY_STEPS,
        checkpoint_every_steps=CHECKPOINT_EVERY_STEPS,
        **train,
    )
    batches = BatchLoader(
        task.images, None, size=task.batch_size, seed=0, device=device.device, drawn=task.drawn,
        fields={name: field for name, field in task.fields.items() if name not in task.drawn},
        second=np.arange(len(task.images)) % 2 == 1 if task.model.balance_by else None,
    )  # fmt: skip
    began, give = {}, batches.batch

    def counted(number: int, **ahead: int) -> Any:
        if number == WARM_UP:
            begin()
            began.update(at=now(task.device), waited_sec=batches.waited_sec)
        return give(number, **ahead)

    optim = {phase.name: Optim(lr=task.lr) for phase in task.model.phases()}
    with TemporaryDirectory() as folder, patch.object(batches, "batch", counted):
        loop.fit(task.model, batches, knobs, optim, device=device, checkpoints=Checkpoints(Path(folder)))
    found = speeds(task, began["at"])
    seconds = task.steps * task.batch_size / found["speed"]
    return {**found, "data": (batches.waited_sec - began["waited_sec"]) / seconds}


def from_disk(task: Task) -> Found:
    """The same with images that are read through the memory map."""
    with TemporaryDirectory() as folder, patch.object(loading, "_fits", lambda *_: False):
        np.save(f"{folder}/images.npy", task.images)
        task.images = np.load(f"{folder}/images.npy", mmap_mode="r")
        return fitted(task, compile="off")


def shares(task: Task) -> Found:
    """The share of the time of `fit` in each of its parts, each waited for before the next begins."""
    parts: defaultdict[str, float] = defaultdict(float)
    watched = [
        ("data", BatchLoader, "batch"),
        ("forward and backward", phase_step.PhaseStep, "gradient"),
        ("backward", lightning_fabric.Fabric, "backward"),
        ("optimizer", lightning_fabric.wrappers._FabricOptimizer, "step"),
        ("averaging", EMA, "update"),
        ("logging", CurveLogger, "row"),
        ("checkpoints", Checkpoints, "write"),
    ]
    with ExitStack() as stack:
        for name, owner, method in watched:
            stack.enter_context(_timed(parts, name, owner, method, task.device))
        whole = task.steps * task.batch_size / fitted(task, parts.clear, compile="off")["speed"]
    parts["forward"] = parts.pop("forward and backward") - parts["backward"]
    parts["everything else"] = whole - sum(parts.values())
    return {"shares": {name: seconds / whole for name, seconds in parts.items()}}


@contextmanager
def _timed(parts: dict[str, float], name: str, owner: type, method: str, device: torch.device) -> Iterator[None]:
    """Adds the seconds of every call of a method to one of the parts."""
    called = getattr(owner, method)

    def measured(*arguments: Any, **named: Any) -> Any:
        begun = synchronized_now(device)
        result = called(*arguments, **named)
        parts[name] += synchronized_now(device) - begun
        return result

    with patch.object(owner, method, measured):
        yield


WAYS: dict[str, Callable[[Task], Found]] = {
    "fit, compile: off": lambda task: fitted(task, compile="off"),
    "fit, compile: on": lambda task: fitted(task, compile="on"),
    "fit, compile: off, images on the disk": from_disk,
    BARE: _rivals.bare_loop,
    "bare loop, nothing kept": lambda task: _rivals.bare_loop(task, keeps=False),
    "DataLoader, 0 workers": lambda task: _rivals.data_loader_loop(task, 0),
    "DataLoader, 2 workers": lambda task: _rivals.data_loader_loop(task, 2),
    "DataLoader, 4 workers": lambda task: _rivals.data_loader_loop(task, 4),
    PYTHAE: _rivals.pythae_trainer,
    SHARES: shares,
}


def here(way: str, model_name: str, given: argparse.Namespace) -> Found:
    """Measures one way in this process."""
    case = MODELS[model_name]
    size = given.size or case.size
    images = np.random.default_rng(0).integers(0, 256, (given.images, CHANNELS, size, size), dtype=np.uint8)
    made = {name: made_up(name, images) for name in case.derive}
    fields = {name: StoredField(of.rows(images, range(len(images))), of.spec) for name, of in made.items()}
    if case.domains:
        fields["domain"] = StoredField(np.arange(len(images), dtype=np.uint8) % 2, FieldSpec("class", (), 2))
    spec = DataSpec(CHANNELS, size, size, fields={name: field.spec for name, field in fields.items()})
    loop.seed(0)
    kind = registry.load("models", model_name)
    model = kind(kind.Config(**case.knobs), spec)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    drawn = {name: of for name, of in made.items() if of.derivation.random}
    found = WAYS[way](Task(model, images, fields, drawn, given.batch, given.steps, device))
    return {**found, "peak_bytes": _peak_bytes(device)}


def made_up(name: str, images: np.ndarray) -> DerivedField:
    """A field that is made of such images, with the defaults of its derivation."""
    kind = registry.load("derivations", name)
    return DerivedField(name, kind(kind.Config(), DataSpec(*images.shape[1:])), seed=0)


def _peak_bytes(device: torch.device) -> int:
    """Of the GPU's memory, or of this process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def apart(way: str, model_name: str, arguments: list[str]) -> Found:
    """Measures one way in a process of its own."""
    command = [sys.executable, __file__, *arguments, "--here", way, model_name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def report(model_name: str, rounds: Mapping[str, list[Found]]) -> None:
    """Prints the tables of one model."""
    middle = {way: median(found["speed"] for found in of) for way, of in rounds.items() if way != SHARES}
    bare, loader = middle[BARE], max(speed for way, speed in middle.items() if way.startswith("DataLoader"))
    columns = "images/s | × bare loop | by processor time | × best DataLoader | data | peak memory, MB"
    print(f"\n### {model_name}\n\n| | {columns} |")
    print("|:--|--:|--:|--:|--:|--:|--:|")
    for way, speed in middle.items():
        waited = [found["data"] for found in rounds[way] if "data" in found]
        peak = median(found["peak_bytes"] for found in rounds[way]) / 1e6
        share = f"{median(waited):.1%}" if waited else ""
        ratios = f"{speed / bare:.3f} | {_by_processor(rounds, way)} | {speed / loader:.2f}"
        print(f"| {way} | {speed:,.0f} | {ratios} | {share} | {peak:,.0f} |")
    parts = {name: median(found["shares"][name] for found in rounds[SHARES]) for name in rounds[SHARES][0]["shares"]}
    print("\n| of a step of `fit` | share |\n|:--|--:|")
    for name, part in sorted(parts.items(), key=lambda one: -one[1]):
        print(f"| {name} | {part:.1%} |")


def _by_processor(rounds: Mapping[str, list[Found]], way: str) -> str:
    """The ratio to the bare loop in images for each second of processor time, of what has no further processes.

    It is taken round by round, and says more than the wall where other programs run.
    """
    if "DataLoader" in way or "processor_speed" not in rounds[way][0]:
        return ""
    pairs = zip(rounds[way], rounds[BARE], strict=True)
    return f"{median(mine['processor_speed'] / bare['processor_speed'] for mine, bare in pairs):.3f}"


def machine() -> str:
    """What the figures were measured on."""
    gpu = f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}" if torch.cuda.is_available() else "no GPU"
    cores = len(os.sched_getaffinity(0))
    versions = f"Python {platform.python_version()}, PyTorch {torch.__version__}, Fabric {lightning_fabric.__version__}"
    return f"{platform.machine()}, {cores} cores, {torch.get_num_threads()} threads, {gpu}; {versions}"


def parsed() -> argparse.Namespace:
    """What is asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--steps", type=int, default=200, help="that are measured, after a warm-up")
    parser.add_argument("--batch", type=int, default=128, help="images in a batch")
    parser.add_argument("--size", type=int, help="side of the images in pixels")
    parser.add_argument("--images", type=int, default=20_000, help="in the data set")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--here", nargs=2, metavar=("WAY", "MODEL"), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measures every way in turn and prints the tables."""
    given = parsed()
    if given.here:
        print(json.dumps(here(*given.here, given)))
        return
    print(machine())
    if not find_spec("pythae"):
        print("pythae is not installed here, so its trainer is left out.")
    for model_name in given.models:
        ways = [way for way in WAYS if way != PYTHAE or (model_name == "vae" and find_spec("pythae"))]
        rounds: defaultdict[str, list[Found]] = defaultdict(list)
        for _ in range(given.rounds):
            for way in ways:
                rounds[way].append(apart(way, model_name, sys.argv[1:]))
        report(model_name, rounds)


if __name__ == "__main__":
    main()
