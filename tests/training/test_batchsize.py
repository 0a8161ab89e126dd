"""The largest batch, by searching and by trying; and what is said when there is too little memory."""

from pathlib import Path

import pytest
import torch

from genpipe import paths
from genpipe.config.project import Project, load_project
from genpipe.dataset.preparing import prepare
from genpipe.errors import OutOfMemory
from genpipe.evaluation.extractor_training import make_references
from genpipe.training import batchsize
from genpipe.training.batchsize import fits_here, largest, with_batch
from genpipe.training.experiment import train


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 31, 32, 33, 64, 100, 127, 128, 5000])
@pytest.mark.parametrize("first", [1, 32, 300])
@pytest.mark.parametrize("most", [1, 100, 128])
def test_the_search_finds_the_limit(limit: int, first: int, most: int) -> None:
    tried: list[int] = []

    def fits(size: int) -> bool:
        tried.append(size)
        return size <= limit

    assert largest(fits, first, most) == min(limit, most)
    assert len(tried) == len(set(tried)) <= 16
    assert all(1 <= size <= most for size in tried)


@pytest.fixture
def prepared(project: Path) -> Project:
    opened = load_project()
    prepare(opened.data("tiny").opened, image_size=8, resize_mode="crop", seed=0, folder=project / paths.data("tiny"))
    return opened


def test_a_batch_is_tried_in_a_step_of_training(prepared: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = prepared.experiment("first")
    assert with_batch(experiment, 99).knobs.train.batch_size == 99
    assert fits_here(prepared, with_batch(experiment, 99))
    assert not paths.checkpoints().exists()
    assert not paths.model("first").exists()
    sizes: list[int] = []

    def fit(model, batches, *rest, **more) -> None:
        sizes.append(batches.size)
        raise torch.OutOfMemoryError

    monkeypatch.setattr(batchsize, "fit", fit)
    assert not fits_here(prepared, with_batch(experiment, 99))
    assert sizes == [99]


CPU = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"
)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError(CPU)])
def test_too_little_memory_is_one_message(
    prepared: Project, monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    def fit(*_, **__) -> None:
        raise error

    monkeypatch.setattr("genpipe.training.experiment.fit", fit)
    with pytest.raises(OutOfMemory, match=r"batches of 16 images .* than this computer has \(\d+\.\d GB") as caught:
        train(prepared, prepared.experiment("first"))
    assert "genpipe train first --find-batch" in str(caught.value)


def test_too_little_memory_for_an_extractor_says_which_knob(prepared: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(*_, **__) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr("genpipe.training.loop.fit", fit)
    with pytest.raises(OutOfMemory, match=r"extractor 'classifier' with batches of 64 .* reference\.train\.batch_size"):
        make_references(prepared, "tiny")


def test_the_message_of_pytorch_is_still_the_same() -> None:
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        torch.empty(10**15)


def test_another_mistake_keeps_its_traceback(prepared: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(*_, **__) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr("genpipe.training.experiment.fit", fit)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        train(prepared, prepared.experiment("first"))
