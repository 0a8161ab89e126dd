import importlib.util
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from genpipe.config.training import Train
from genpipe.errors import TrainingError
from genpipe.training.devices import devices, fabric, first_process

SCRIPT = Path(__file__).with_name("_two_processes.py")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    described = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
    module = importlib.util.module_from_spec(described)
    described.loader.exec_module(module)
    return module


def started(folder: Path, strategy: str) -> list[dict]:
    """What each of two processes found."""
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[2]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), strategy],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.fixture(scope="module")
def ddp(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    return started(tmp_path_factory.mktemp("ddp"), "ddp")


@pytest.fixture(scope="module")
def fsdp(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    return started(tmp_path_factory.mktemp("fsdp"), "fsdp")


@pytest.fixture(params=["ddp", "fsdp"])
def found(request: pytest.FixtureRequest) -> list[dict]:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("name", ["ae mlp", "ae conv"])
def test_two_processes_train_as_one_does_on_the_same_batches(found: list[dict], script: ModuleType, name: str) -> None:
    alone = script.trained(name, fabric("32-true"))
    assert np.array(found[0][name]["losses"]) == pytest.approx(np.array(alone["losses"]), rel=1e-5)
    assert found[0][name]["weights"] == pytest.approx(alone["weights"], rel=1e-5)


def test_a_turn_is_skipped_by_all_when_one_process_has_no_finite_loss(found: list[dict], script: ModuleType) -> None:
    skipping = script.TRAIN.model_copy(update={"on_nan": "skip"})
    assert found[0]["spoiled"]["weights"] == pytest.approx(
        script.trained("spoiled", fabric("32-true"), skipping)["weights"], rel=1e-5
    )


def test_adaptive_augmentation_follows_what_is_said_in_all_processes(found: list[dict], script: ModuleType) -> None:
    alone = script.heard(0, 1)
    assert max(alone) > alone[-1] > 0, "it rises and falls"
    assert [one["ada"]["heard"] for one in found] == [pytest.approx(alone), pytest.approx(alone)]


def test_all_processes_end_with_the_same_weights_and_curves(found: list[dict]) -> None:
    first, second = ({name: came for name, came in one.items() if name != "seen"} for one in found)
    assert {name: {**came, "held": 0} for name, came in first.items()} == {
        name: {**came, "held": 0} for name, came in second.items()
    }


def test_a_stopped_training_of_two_goes_on_to_the_same_weights(found: list[dict]) -> None:
    assert found[0]["resumed"] == found[0]["vae"]


def test_weights_in_parts_train_as_whole_ones_do(ddp: list[dict], fsdp: list[dict]) -> None:
    for name in ("ae mlp", "ae conv", "vae", "gan", "spoiled", "in parts"):
        for what in ("losses", "weights"):
            assert np.array(fsdp[0][name][what]) == pytest.approx(np.array(ddp[0][name][what]), rel=1e-5)
    assert np.array(fsdp[0]["seen"]) == pytest.approx(np.array(ddp[0]["seen"]), rel=1e-5), "whole when looked at"


def test_each_process_holds_its_part_of_the_weights(ddp: list[dict], fsdp: list[dict]) -> None:
    assert [one["gan"]["held"] for one in ddp] == [1, 1]
    held = [one["gan"]["held"] for one in fsdp]
    assert sum(held) == pytest.approx(1)
    assert max(held) < 0.6


def test_who_writes_is_known_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    several = Train(steps=1, devices=2)
    assert first_process(several)
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert first_process(several)
    monkeypatch.setenv("SLURM_PROCID", "3")
    assert not first_process(several)
    assert first_process(Train(steps=1)), "a training of one process is its own first, whatever runs beside it"


def test_devices_that_cannot_share_a_batch_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    train = Train(steps=1, batch_size=9, grad_accumulation_steps=3)
    assert devices(train).world_size == 1
    monkeypatch.setattr("genpipe.training.devices.fabric", lambda *_: SimpleNamespace(world_size=2))
    with pytest.raises(TrainingError, match=r"batch_size 9 cannot .* 2 devices and grad_accumulation_steps is 3"):
        devices(train)


def test_processes_that_would_each_train_alone_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match=r"torchrun started 2 processes, but .* is 1"):
        fabric("32-true")
    with pytest.raises(TrainingError, match=r"train\.devices: 3 on 1 node\(s\) cannot be had"):
        fabric("32-true", devices=3)


def test_a_machine_that_has_srun_is_told_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fabric("32-true")
    assert [str(warning.message) for warning in told] == []
