"""A project whose experiment `vae` has run, in which a notebook could be."""

import os
import shutil
from pathlib import Path

import pytest

from genpipe import paths
from genpipe.config.project import load_project
from genpipe.dataset.preparing import prepare
from genpipe.training.experiment import checkpoints, train
from tests._projects import wire
from tests.conftest import PARAMS, VAE
from tests.tracking._runs import finished


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, made once."""
    root, before = tmp_path_factory.mktemp("ran"), Path.cwd()
    (root / "pipelines").mkdir()
    (root / "params.yaml").write_text(PARAMS.replace("first:", "vae:"))
    (root / "pipelines" / "vae.yaml").write_text(VAE)
    wire(root)
    os.chdir(root)
    try:
        opened = load_project()
        prepare(opened.data("tiny").opened, image_size=8, resize_mode="crop", seed=0, folder=paths.data("tiny"))
        train(opened, opened.experiment("vae"))
        checkpoints(opened, opened.experiment("vae")).clear()
        finished(opened, "vae")
    finally:
        os.chdir(before)
    return root


@pytest.fixture
def here(ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project, which is the current folder."""
    shutil.copytree(ran, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path
