"""A small project in a temporary folder, for every test that needs one."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small nets take as long, and other work harms less

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dvc.logger  # noqa: F401 - its handlers keep the stderr of this moment, and a single test's is soon closed
import pytest
import torch

from genpipe import registry
from genpipe.packages import Packages
from tests._forks import Forks
from tests._projects import environment, wire

ROOT = Path(__file__).parents[1]

PARAMS = """\
seed: 0
datasets:
  tiny: {source: digits, image_size: 8, resize_mode: crop, test_images: 360}
reference:
  extractors:
    classifier: {channels: [8, 16], features: 16, dropout: 0.0, shift_pixels: 0}
  optim:
    classifier: {lr: 0.01}
  train: {steps: 60, batch_size: 64}
experiments:
  first: {model: vae, data: tiny} # a comment that a person put here
"""

VAE = """\
# a small VAE
seed: 0
model:
  architecture: mlp
  widths: [32]
  latent_dim: 4
optim:
  autoencoder: {lr: 0.01}
train: {steps: 6, batch_size: 16, log_every_steps: 2, checkpoint_every_steps: 2}
sample: {images: 60, batch_size: 30}
evaluate:
  metrics:
    inception_score: {splits: 2}
    fid: {}
analyses:
  sample_grid: {rows: 3}
"""


INDEX = """\
# The index of a small project.
seed: 0   # of what is shared

reference:
  extractors:
    classifier: {channels: [8, 16]}
  optim:
    classifier: {lr: 0.002}
  train: {steps: 10}

datasets:
    mnist5k: {source: mnist5k,  image_size: 32, resize_mode: pad}   # laid out by hand

experiments: # name: {model, data}
    vae: {model: vae, data: mnist5k} # the first

# The end.
"""


if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in the background of a shell; children would have it too
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest files first, so that no process is left with one of them when the others are done."""
    longest = {item.path for item in items if item.get_closest_marker("graph")}
    items.sort(key=lambda item: item.path not in longest)


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches a real MLflow store, or leans on another's random numbers or package."""
    for variable in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(variable, raising=False)
    for name in [name for name in sys.modules if name.startswith("multiprocessing.popen_")]:
        monkeypatch.delitem(sys.modules, name)  # or else every test would seem to have had processes started
    torch.manual_seed(0)
    registry.use(Packages())


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """What starts programs as forks, with what they import from this repository in it."""
    made = Forks({**environment(), "PYTHONPATH": str(ROOT)})
    yield made
    made.close()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project with one small experiment, which is the current folder."""
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "pipelines" / "first.yaml").write_text(VAE)
    wire(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def small_project(tmp_path: Path) -> Path:
    """A project's root with the experiment `vae`, wired as this repository is."""
    from genpipe.project import recipes

    wire(tmp_path)
    (tmp_path / "params.yaml").write_text(INDEX)
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "vae.yaml").write_text(recipes.recipe("vae").text)
    return tmp_path


@pytest.fixture
def contents(small_project: Path) -> Callable[[], dict[str, str]]:
    """Every file of the small project by its path, read at each call, to see whether anything has changed.

    The lock, which is held while something changes, is not among them.
    """

    def read() -> dict[str, str]:
        found = (file for file in small_project.rglob("*") if file.is_file() and file.name != "changing.lock")
        return {str(file.relative_to(small_project)): file.read_text() for file in found}

    return read


@pytest.fixture(scope="session")
def picture_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a project with models that make pictures of pictures, made once."""
    from tests._picture_models import make

    return make(tmp_path_factory.mktemp("picture_models")).root
