"""Real trainings under `dvc repro`, of which code and data are edited meanwhile."""

import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from tests.test_killed_graph import PIPELINE, Graph
from tests.test_killed_graph import graph as graph

CODE = "genpipe/models/vae.py"
DATA = "data/tiny/train_images.npy"

SHORT = PIPELINE.replace("steps: 400", "steps: 150")

pytestmark = [pytest.mark.graph, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def calm(graph: Graph) -> dict[str, str]:
    """What a training leaves that nobody disturbed."""
    for name in ("calm", "killed"):
        (graph.root / f"pipelines/{name}.yaml").write_text(SHORT)
    graph.run("dvc", "repro", "-q", "train@calm")
    return graph.digests("calm")


def test_code_that_is_edited_and_put_back_costs_no_training(graph: Graph, calm: dict[str, str]) -> None:
    code = graph.root / CODE
    written = code.read_bytes()
    started = graph.until_checkpoints(graph.start("dvc", "repro", "train@killed"))
    code.write_text("raise RuntimeError('this was read')\n")
    said, _ = started.communicate()
    assert started.returncode != 0
    assert f"  {CODE} has changed" in said
    assert "Undo the change first, and what it made is taken up again." in said
    assert "train@killed" not in (graph.root / "dvc.lock").read_text()
    time.sleep(0.01)
    code.write_bytes(written)
    before = graph.files("step-*.pt")
    said = graph.run("dvc", "repro", "train@killed")
    assert "its result is taken up" in said
    assert "step " not in said, "it trained again"
    assert before
    assert not graph.files("step-*.pt"), "they are of no use any more"
    assert graph.digests("killed") == calm


def test_no_checkpoint_of_edited_data_is_gone_on_from(graph: Graph, calm: dict[str, str]) -> None:
    knobs, data = graph.root / "pipelines/killed.yaml", graph.root / DATA
    shutil.rmtree(graph.root / "runs/killed")
    knobs.write_text(SHORT.replace("seed: 0", "seed: 1"))  # so nothing is taken out of DVC's cache
    started = graph.until_checkpoints(graph.start("dvc", "repro", "train@killed"), 2)
    kept = data.read_bytes()
    array = np.load(data, mmap_mode="r+")
    edited = time.time()
    array[:] = 0
    array.flush()
    said, _ = started.communicate()
    assert started.returncode != 0
    assert f"  {DATA} has changed" in said
    assert "Undo the change first, and the training goes on from the checkpoint before it" in said
    left = graph.files("step-*.pt")
    assert left
    assert all(file.stat().st_mtime < edited + 0.1 for file in left), "none was written of what nobody knows"
    _put_back(data, kept)
    graph.run("dvc", "repro", "train@killed")
    disturbed = graph.digests("killed")
    (graph.root / "pipelines/calm.yaml").write_text(knobs.read_text())
    graph.run("dvc", "repro", "-q", "train@calm")
    assert disturbed == graph.digests("calm") != calm


def _put_back(file: Path, content: bytes) -> None:
    with file.open("rb+") as opened:
        opened.write(content)
