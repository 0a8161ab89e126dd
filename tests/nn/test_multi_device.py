import os
import subprocess
import sys
import time
from functools import partial

import numpy as np
import psutil
import pytest
import torch
from torch import nn

from genpipe import registry
from genpipe.errors import GenpipeError, UsageError
from genpipe.interfaces.spec import DataSpec
from genpipe.nn.multi_device import VARIABLE, spread, wanted_devices
from genpipe.sampling.drawing import generate_samples, reconstruct_images

KNOBS = {"vae": {"architecture": "mlp", "widths": [8], "latent_dim": 2}, "cgan": {"generator_channels": 4}}


def model(name: str) -> nn.Module:
    torch.manual_seed(0)
    kind = registry.load("models", name)
    return kind(kind.Config(**KNOBS[name]), DataSpec(1, 16, 16, ("a", "b", "c"))).eval()


@pytest.mark.parametrize("name", KNOBS)
def test_two_processes_draw_and_rebuild_what_one_does(name: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (1100, 1, 16, 16), dtype=np.uint8)
    one = generate_samples(model(name), 23, seed=3, batch_size=5)
    assert (generate_samples(model(name), 23, seed=3, batch_size=5, devices=2) == one).all()
    assert len(np.unique(one, axis=0)) == 23, "no batch repeats another"
    rebuilt = reconstruct_images(model(name), images)
    assert rebuilt is None or (reconstruct_images(model(name), images, devices=2) == rebuilt).all()


def test_results_come_in_the_order_of_the_chunks() -> None:
    assert spread(partial(torch.add, torch.ones(1)), list(range(20)), 2) == [torch.tensor([1.0 + k]) for k in range(20)]


def test_two_processes_share_the_work_and_one_chunk_starts_none() -> None:
    parent = partial(subprocess.check_output, text=True, shell=True)
    found = {int(said) for said in spread(parent, ["sleep 0.3; echo $PPID"] * 8, 2)}
    assert len(found) == 2
    assert os.getpid() not in found
    assert spread(parent, ["echo $PPID"], 2) == [f"{os.getpid()}\n"]


def test_processes_end_with_the_one_that_started_them() -> None:
    code = "import time; from genpipe.nn.multi_device import spread; spread(time.sleep, [60, 60], 2)"
    started = subprocess.Popen([sys.executable, "-c", code])
    while len(workers := _begun(started.pid)) < 2:
        time.sleep(0.1)
    started.kill()
    started.wait()
    assert not psutil.wait_procs(workers, timeout=20)[1]


def _begun(pid: int) -> list[psutil.Process]:
    """The processes that have begun to watch for the end of the one that started them."""
    children = psutil.Process(pid).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline()) and child.num_threads() > 1]


def test_a_process_that_is_ended_from_outside_is_told_in_words() -> None:
    with pytest.raises(GenpipeError, match=r"one of 2 processes was ended .* GENPIPE_DEVICES=1"):
        spread(os._exit, [1, 1], 2)


def test_an_error_of_the_work_comes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        spread(partial(divmod, 1), [1, 0], 2)


@pytest.mark.parametrize(
    ("given", "gpus", "wanted"), [("", 4, 1), ("3", 4, 3), ("all", 4, 4), ("all", 0, 1), ("2", 0, 2)]
)
def test_the_environment_says_how_many(monkeypatch: pytest.MonkeyPatch, given: str, gpus: int, wanted: int) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setenv(VARIABLE, given)
    assert wanted_devices() == wanted


@pytest.mark.parametrize("given", ["0", "many", "5", "-1"])
def test_more_devices_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setenv(VARIABLE, given)
    with pytest.raises(UsageError, match=f"GENPIPE_DEVICES is '{given}', but should be `all` or a number from 1 to 4"):
        wanted_devices()
