"""The tour and the page about Python, run from beginning to end."""

import sys
from pathlib import Path

import mlflow
import nbformat
import pytest
from nbclient import NotebookClient

import genpipe
from genpipe import config
from genpipe.tracking import Tracker
from tests._pages import ROOT, Block, snippets

TOUR = ROOT / "docs" / "notebooks" / "tour.ipynb"


def run(block: Block, names: dict[str, object]) -> None:
    """Runs a snippet; what goes wrong is told with the line of the page."""
    exec(compile("\n" * (block.line - 1) + block.body, block.page, "exec"), names)


@pytest.fixture
def registered(here: Path) -> None:
    """The experiment's model is in MLflow under the name that the page has."""
    Tracker(config.load()).mirror_all()
    (found,) = mlflow.MlflowClient().search_logged_models([mlflow.get_experiment_by_name("genpipe").experiment_id])
    mlflow.register_model(found.model_uri, "digits")


def test_the_page_runs(registered: None) -> None:
    names: dict[str, object] = {}
    for block in snippets("docs/python.md"):
        run(block, names)
    assert Path("digits.png").exists()
    assert Path("digits/model.safetensors").exists()


def test_the_example_of_the_readme_runs(here: Path) -> None:
    (block,) = snippets("README.md")
    assert len(block.body.splitlines()) <= 6
    run(block, {})


def test_the_tour_runs_and_shows_all_that_is_promised(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    notebook = nbformat.read(TOUR, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in code), "outputs of another time are no tour"
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(here)}})
    client.create_kernel_manager()
    client.km.kernel_spec.argv[0] = sys.executable
    client.execute()
    text = "".join(cell.source for cell in code)
    assert all(f"genpipe.{name}" in text for name in [*genpipe.__all__, "open"])
    pictures = [cell for cell in code if any("image/png" in output.get("data", {}) for output in cell.outputs)]
    assert len(pictures) >= 7
    printed = [output for cell in code for output in cell.outputs if output.output_type == "stream"]
    assert {output.name for output in printed} == {"stdout"}
    lines = "".join(output.text for output in printed).splitlines()
    assert "fit vae: step 200/200" in "".join(lines)
    assert len(lines) <= 15, "a bar leaves every move of it in a notebook"
