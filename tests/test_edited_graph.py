"""Real trainings under `dvc repro`, of which code and data are edited meanwhile."""

import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from tests.test_killed_graph import PIPELINE, Project
from tests.test_killed_graph import project as project

CODE = "genpipe/models/vae.py"
DATA = "data/tiny/train_images.npy"

pytestmark = [pytest.mark.graph, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def calm(project: Project) -> dict[str, str]:
    """What a training leaves that nobody disturbed."""
    project.run("dvc", "repro", "-q", "train@calm")
    return project.digests("calm")


def test_code_that_is_edited_and_put_back_costs_no_training(project: Project, calm: dict[str, str]) -> None:
    code = project.root / CODE
    written = code.read_bytes()
    started = project.repro_until_checkpoints(1)
    code.write_text("raise RuntimeError('this was read')\n")
    said, _ = started.communicate()
    assert started.returncode != 0
    assert f"  {CODE} has changed" in said
    assert "Undo the change first, and what it made is taken up again." in said
    assert "train@killed" not in (project.root / "dvc.lock").read_text()
    time.sleep(0.01)
    code.write_bytes(written)
    before = project.files("step-*.pt")
    said = project.run("dvc", "repro", "train@killed")
    assert "its result is taken up" in said
    assert "step " not in said, "it trained again"
    assert before
    assert not project.files("step-*.pt"), "they are of no use any more"
    assert project.digests("killed") == calm


def test_no_checkpoint_of_edited_data_is_gone_on_from(project: Project, calm: dict[str, str]) -> None:
    knobs, data = project.root / "pipelines/killed.yaml", project.root / DATA
    shutil.rmtree(project.root / "runs/killed")
    knobs.write_text(PIPELINE.replace("seed: 0", "seed: 1"))  # so nothing is taken out of DVC's cache
    started = project.repro_until_checkpoints(2)
    kept = data.read_bytes()
    array = np.load(data, mmap_mode="r+")
    edited = time.time()
    array[:] = 0
    array.flush()
    said, _ = started.communicate()
    assert started.returncode != 0
    assert f"  {DATA} has changed" in said
    assert "Undo the change first, and the training goes on from the checkpoint before it" in said
    left = project.files("step-*.pt")
    assert left
    assert all(file.stat().st_mtime < edited + 0.1 for file in left), "none was written of what nobody knows"
    _put_back(data, kept)
    project.run("dvc", "repro", "train@killed")
    disturbed = project.digests("killed")
    (project.root / "pipelines/calm.yaml").write_text(knobs.read_text())
    project.run("dvc", "repro", "-q", "train@calm")
    assert disturbed == project.digests("calm") != calm


def _put_back(file: Path, content: bytes) -> None:
    with file.open("rb+") as opened:
        opened.write(content)
