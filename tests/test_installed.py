"""genpipe as it is installed: sdist, wheel, an empty environment, a project elsewhere, and its clone."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests._forks import Forks
from tests._projects import ROOT, Project, environment

SOURCES = ("genpipe", "stages")
FILES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "dvc.yaml", ".gitignore", ".dvcignore")
BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"
SMALL = ("model.architecture=mlp", "model.widths=[16]", "train.ema_halflife_images=null")
QUICK = ("sample.images=60", "sample.batch_size=60", "evaluate.metrics.inception_score.splits=2")
LOADED = """
import sys, mlflow
assert not any("lab" in path for path in sys.path)
images = mlflow.pyfunc.load_model(sys.argv[1]).predict([{"n": 2, "seed": 1}])
print(len(images[0]))
"""

pytestmark = [pytest.mark.graph, pytest.mark.timeout(600)]


class Installed(Project):
    """A project, and an environment with the wheel of this genpipe in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin = folder, folder / "environment" / "bin"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "environment")], check=True)
        (self.site() / "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n")  # torch is not installed again
        programs = os.pathsep.join([str(self.bin), sysconfig.get_path("scripts")])
        own = {**environment(programs), "GIT_CEILING_DIRECTORIES": str(folder.parent)}
        pip = [sys.executable, "-m", "pip", "--python", str(self.bin / "python"), "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--no-index", str(wheel(folder))], check=True, env=own)
        super().__init__(folder / "a project" / "lab", Forks(own, self.bin / "python"))
        self.environment = own

    def at(self, folder: Path) -> Project:
        """Another folder in the same environment."""
        other = Project(folder, self.forks)
        other.environment = self.environment
        return other

    def site(self) -> Path:
        return next(self.folder.glob("environment/lib/python*/site-packages"))


def wheel(folder: Path) -> Path:
    """The wheel that is built of the sdist of this repository."""
    source = folder / "source"
    for name in SOURCES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, source)
    subprocess.run(
        [sys.executable, "-c", BUILD, "build_sdist", str(folder)], cwd=source, check=True, capture_output=True
    )
    shutil.rmtree(source)
    (packed,) = folder.glob("*.tar.gz")
    shutil.unpack_archive(packed, folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    subprocess.run(
        [sys.executable, "-c", BUILD, "build_wheel", str(folder)], cwd=unpacked, check=True, capture_output=True
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """The project after its first run: an experiment with a model of its own, and one with genpipe's."""
    made = Installed(tmp_path_factory.mktemp("installed"))
    made.root.parent.mkdir()
    made.at(made.root.parent).run("genpipe", "init", "lab", "--package", "lab")
    made.run("genpipe", "new-model", "mine", "--from", "vae")
    for name, recipe, sets in (("own", "mine", (*SMALL, *QUICK)), ("first", "gan", (*SMALL[1:], *QUICK))):
        options = ("--recipe", recipe, "--data", "digits", "--profile", "smoke", "--force")
        made.run("genpipe", "new-experiment", name, *options, *(f"--set={one}" for one in sets))
    text = (made.root / "params.yaml").read_text()
    (made.root / "params.yaml").write_text(text.replace("steps: 500", "steps: 60"))
    assert made.repro() == {"check", "prepare@digits", "reference@digits", "report"} | stages("own") | stages("first")
    made.commit("first")
    yield made
    made.forks.close()


def stages(name: str) -> set[str]:
    return {f"{stage}@{name}" for stage in ("train", "sample", "evaluate")}


def test_the_environment_has_the_wheel_and_no_top_level_stages(installed: Installed) -> None:
    where = "import genpipe, importlib.util as u; print(genpipe.__file__, u.find_spec('stages'))"
    said = installed.at(installed.folder).run("python", "-c", where)
    assert said == f"{installed.site() / 'genpipe' / '__init__.py'} None\n"
    for name in ("dvc.yaml", ".gitignore", ".dvcignore", "stages/train.py", "stages/code/dvc.yaml"):
        assert (installed.site() / "genpipe/template" / name).read_text() == (ROOT / name).read_text()


def test_nothing_runs_twice(installed: Installed) -> None:
    assert installed.ran(installed.run_process("dvc", "repro")) == set()
    assert installed.run("git", "status", "--porcelain") == ""


def test_a_clone_with_the_same_cache_trains_nothing(installed: Installed) -> None:
    clone = installed.at(installed.folder / "clone")
    installed.run("git", "clone", "-q", str(installed.root), str(clone.root))
    clone.run("dvc", "cache", "dir", "--local", str(installed.root / ".dvc" / "cache"))
    clone.run("dvc", "checkout")
    assert clone.repro() == set()
    assert (clone.root / "reports/index.html").is_file()
    assert clone.run("git", "status", "--porcelain") == ""


def test_the_logged_model_loads_where_the_project_is_not(installed: Installed) -> None:
    found = [file.parent for file in installed.root.glob("mlartifacts/**/MLmodel")]
    own = next(folder for folder in found if (folder / "code" / "lab").is_dir())
    elsewhere = installed.folder / "elsewhere"
    shutil.copytree(own, elsewhere / "model")
    said = installed.at(elsewhere).run("python", "-c", LOADED, str(elsewhere / "model"))
    assert said.splitlines()[-1] == "2"


def test_an_edit_in_the_environment_trains_one_experiment_alone(installed: Installed) -> None:
    model = installed.site() / "genpipe/models/gan.py"
    model.write_text(f"{model.read_text()}\n# another edition\n")
    said = installed.run("genpipe", "upgrade", "--dry-run")
    assert "first trains again" in said
    assert "genpipe.models.gan has changed" in said
    assert installed.repro() == {"check", "report"} | stages("first")
    assert installed.repro() == set()
