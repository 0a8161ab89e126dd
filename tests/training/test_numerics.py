import platform
import resource
import subprocess
import sys

import pytest
import torch

from genpipe.config.training import Train
from genpipe.errors import TrainingError
from genpipe.training.numerics import numerics

GPU = torch.device("cuda")


def settings() -> tuple[object, ...]:
    cudnn = torch.backends.cudnn
    exactness = torch.are_deterministic_algorithms_enabled()
    return torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.benchmark, exactness


@pytest.fixture(autouse=True)
def _no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def test_a_gpu_computes_as_the_recipe_says_for_as_long_as_it_trains() -> None:
    before = settings()
    with numerics(Train(steps=1), GPU):
        assert settings() == ("high", True, True, False)
    with numerics(Train(steps=1, tf32=False, deterministic=True), GPU):
        assert settings() == ("highest", False, False, True)
    assert settings() == before


def test_a_cpu_computes_in_full() -> None:
    before = settings()
    with numerics(Train(steps=1, tf32=True, deterministic=True), torch.device("cpu")):
        assert settings() == before


def test_what_cannot_be_the_same_every_time_is_named() -> None:
    with (
        pytest.raises(TrainingError, match=r"train\.deterministic is true, but put_.*Set it to false"),
        numerics(Train(steps=1, deterministic=True), GPU),
    ):
        x = torch.zeros(3)
        x.put_(torch.tensor([0, 0]), torch.tensor([1.0, 2.0]), accumulate=False)
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library does as it likes")
@pytest.mark.parametrize(
    ("begun", "kept"), [("", False), ("numerics(Train(steps=1), torch.device('cpu')).__enter__()", True)]
)
def test_memory_that_a_step_frees_is_there_for_the_next(begun: str, kept: bool) -> None:
    code = f"""
import resource, torch
from genpipe.config.training import Train
from genpipe.training.numerics import numerics
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
{begun}
before = faults()
for _ in range(50):
    torch.ones(12_500_000)
print(faults() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pages = 50 * 50_000_000 // resource.getpagesize()
    assert (int(done.stdout) < pages / 2) is kept
