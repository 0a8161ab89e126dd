"""What tests of several folders share."""

from collections.abc import Callable
from pathlib import Path
from shutil import copyfile

import dvc.logger  # noqa: F401 - its handlers keep the stderr of this moment, and a single test's is soon closed
import pytest

REPOSITORY = Path(__file__).parents[1]

INDEX = """\
# The index of a small project.
seed: 0   # of what is shared

datasets:
    mnist5k: {source: mnist5k,  size: 32, fit: pad}   # laid out by hand

experiments: # name: {model, data}
    vae: {model: vae, data: mnist5k} # the first

# The end.
"""


@pytest.fixture
def small_project(tmp_path: Path) -> Path:
    """A project's root with the experiment `vae`, wired as this repository is."""
    from genpipe.composing import recipes

    copyfile(REPOSITORY / "dvc.yaml", tmp_path / "dvc.yaml")
    (tmp_path / "params.yaml").write_text(INDEX)
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "vae.yaml").write_text(recipes.recipe("vae").text)
    return tmp_path


@pytest.fixture
def contents(small_project: Path) -> Callable[[], dict[str, str]]:
    """Every file of the small project by its path, read at each call, to see whether anything has changed."""
    return lambda: {str(f.relative_to(small_project)): f.read_text() for f in small_project.rglob("*") if f.is_file()}
