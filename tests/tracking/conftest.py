"""Projects with prepared data, and with an experiment that has run without MLflow; an empty store is made once."""

import os
import shutil
from pathlib import Path

import pytest

from genpipe import paths
from genpipe.config.project import Project, load_project
from genpipe.dataset.preparing import prepare
from genpipe.tracking import _database
from genpipe.training.experiment import checkpoints, train
from tests._projects import wire
from tests.conftest import PARAMS, VAE
from tests.tracking._runs import finished

SCORED_BY_STEP = VAE.replace("log_every_steps: 2", "log_every_steps: 2, score_every_steps: 2, score_images: 50")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without a run, as MLflow makes it in some seconds."""
    store = tmp_path_factory.mktemp("store") / "mlflow.db"
    _database.prepare(store, store.with_name("mlartifacts").as_uri())
    return store


@pytest.fixture(scope="session")
def run_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose one experiment is trained and scored, and known to no MLflow."""
    folder, before = tmp_path_factory.mktemp("run-once"), Path.cwd()
    (folder / "pipelines").mkdir()
    (folder / "params.yaml").write_text(PARAMS)
    (folder / "pipelines" / "first.yaml").write_text(SCORED_BY_STEP)
    wire(folder)
    os.chdir(folder)
    try:
        opened = prepared_project()
        train(opened, opened.experiment("first"))
        checkpoints(opened, opened.experiment("first")).clear()
        finished(opened)
    finally:
        os.chdir(before)
    return folder


def prepared_project() -> Project:
    """The project around the current folder, its data prepared."""
    opened = load_project()
    prepare(opened.data("tiny").opened, image_size=8, resize_mode="crop", seed=0, folder=paths.data("tiny"))
    return opened


@pytest.fixture
def bare(project: Path) -> Project:
    """The project with its data prepared, and no store yet."""
    return prepared_project()


@pytest.fixture
def prepared(bare: Project, empty_store: Path) -> Project:
    """The project with its data prepared, and a store."""
    shutil.copy(empty_store, bare.root)
    return bare


@pytest.fixture
def scored(project: Path, run_once: Path, empty_store: Path) -> Project:
    """The project with an experiment that has run, and a store that knows nothing of it."""
    shutil.copytree(run_once, project, dirs_exist_ok=True)
    shutil.copy(empty_store, project)
    return load_project()
