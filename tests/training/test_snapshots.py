"""Samples that are drawn during a training change nothing of it, and survive its end and its being killed."""

from pathlib import Path

import numpy as np
import pytest
import torch

from genpipe import paths, registry
from genpipe.artifacts.models import load_model
from genpipe.config.project import Project, load_project
from genpipe.config.training import Train
from genpipe.dataset.preparing import prepare
from genpipe.errors import CheckpointError, DataError, NonFiniteLoss, TrainingError
from genpipe.sampling.drawing import generate_samples
from genpipe.training.callbacks import StepInfo
from genpipe.training.experiment import checkpoints, train
from genpipe.training.snapshots import Snapshots, load_snapshots


class Killed(Exception):
    """Somebody pulled the plug."""


@pytest.fixture
def opened(project: Path) -> Project:
    """The small project, prepared; its experiment averages its weights and is looked at after every second step."""
    file = project / "pipelines/first.yaml"
    knobs = "train: {ema_halflife_images: 40, score_every_steps: 2, score_images: 5, "
    file.write_text(file.read_text().replace("train: {", knobs))
    prepare(
        load_project().data("tiny").opened, image_size=8, resize_mode="crop", seed=0, folder=project / "data" / "tiny"
    )
    return load_project()


def weights() -> bytes:
    return (paths.model("first") / "model.safetensors").read_bytes()


def test_the_last_are_those_of_the_finished_model_and_the_weights_as_without(opened: Project) -> None:
    train(opened, opened.experiment("first"))
    steps, images = load_snapshots(paths.snapshots("first"))
    assert steps.tolist() == [2, 4, 6]
    model, _ = load_model(paths.model("first"))
    assert (images[-1] == generate_samples(model, 5, seed=0)).all()
    assert (images[0] != images[-1]).any()
    looked_at = weights()
    file = opened.root / "pipelines/first.yaml"
    file.write_text(file.read_text().replace("score_every_steps: 2, ", ""))
    train(load_project(), load_project().experiment("first"))
    assert weights() == looked_at
    assert load_snapshots(paths.snapshots("first"))[0].tolist() == []


def test_a_killed_training_keeps_them(opened: Project) -> None:
    experiment = opened.experiment("first")

    def die(info: StepInfo) -> None:
        if info.step == 6:
            raise Killed

    with pytest.raises(Killed):
        train(opened, experiment, [die])
    first = [np.load(f) for f in sorted((checkpoints(opened, experiment).folder / "snapshots").glob("*.npy"))]
    assert len(first) == 2
    torch.manual_seed(7)
    assert train(opened, experiment)["resumed_from_step"] == 4
    steps, images = load_snapshots(paths.snapshots("first"))
    assert steps.tolist() == [2, 4, 6]
    assert all((before == after).all() for before, after in zip(first, images, strict=False))


def test_images_that_are_not_finite_end_the_training_with_the_step(
    opened: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_class = registry.load("models", "vae")
    monkeypatch.setattr(model_class, "decode", lambda self, z: torch.full((len(z), 1, 8, 8), torch.nan))
    with pytest.raises(TrainingError, match=r"step 2: 100\.0% of the samples of VAE are NaN"):
        train(opened, opened.experiment("first"))


def test_a_loss_that_is_not_finite_is_said_before_the_images_that_come_of_it(
    opened: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = opened.root / "pipelines/first.yaml"
    file.write_text(file.read_text().replace("log_every_steps: 2", "log_every_steps: 50"))
    model_class = registry.load("models", "vae")
    monkeypatch.setattr(model_class, "posterior", lambda self, x: 2 * (torch.full((len(x), 4), torch.nan),))
    with pytest.raises(NonFiniteLoss, match="step 1: the loss"):
        train(load_project(), load_project().experiment("first"))


def test_damage_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        load_snapshots(tmp_path / "nothing")


@pytest.mark.parametrize("damage", ["missing", "cut", "smaller"])
def test_what_a_stopped_training_left_is_named_if_it_is_damaged(tmp_path: Path, damage: str) -> None:
    train = Train(steps=2, score_every_steps=1)
    folder = tmp_path / "kept" / "snapshots"
    folder.mkdir(parents=True)
    for step in (1, 2):
        np.save(folder / f"step-{step:09d}.npy", np.zeros((3, 1, 2, 2), np.uint8))
    first = folder / "step-000000001.npy"
    if damage == "missing":
        first.unlink()
    elif damage == "cut":
        first.write_bytes(first.read_bytes()[:40])
    else:
        np.save(first, np.zeros((2, 1, 2, 2), np.uint8))
    with pytest.raises(CheckpointError, match=r"snapshots is damaged .*Delete .*kept to train afresh"):
        Snapshots(folder, train, 0).collect(tmp_path / "out")
