"""The tour and the page about Python, run from beginning to end."""

import re
import sys
from pathlib import Path

import mlflow
import nbformat
import pytest
from nbclient import NotebookClient

import genpipe
from genpipe import config
from genpipe.tracking import Tracker
from tests.conftest import ROOT

FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOUR = ROOT / "docs" / "notebooks" / "tour.ipynb"
PAGE = (ROOT / "docs" / "python.md").read_text()


@pytest.fixture
def registered(here: Path) -> None:
    """The experiment's model is in MLflow under the name that the page has."""
    Tracker(config.load()).mirror_all()
    (found,) = mlflow.MlflowClient().search_logged_models([mlflow.get_experiment_by_name("genpipe").experiment_id])
    mlflow.register_model(found.model_uri, "digits")


def test_the_page_runs(registered: None) -> None:
    names: dict[str, object] = {}
    for block in FENCE.findall(PAGE):
        exec(compile(block, "docs/python.md", "exec"), names)
    assert Path("digits.png").exists()
    assert Path("digits/model.safetensors").exists()


def test_the_example_of_the_readme_runs(here: Path) -> None:
    (block,) = (body for body in FENCE.findall((ROOT / "README.md").read_text()) if "genpipe.open" in body)
    assert len(block.splitlines()) <= 6
    exec(compile(block, "README.md", "exec"), {})


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
