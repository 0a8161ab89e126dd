"""Checkpoints that lie about, and whether they still fit."""

from pathlib import Path

import pytest

from genpipe import paths
from genpipe.config.project import Project, load_project
from genpipe.dataset.preparing import prepare
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.experiment import checkpoints
from genpipe.training.unfinished import remove, unfinished


@pytest.fixture
def prepared(project: Path) -> Project:
    opened = load_project()
    prepare(opened.data("tiny").opened, image_size=8, resize_mode="crop", seed=0, folder=project / paths.data("tiny"))
    return opened


def test_each_is_told_with_its_step_size_and_whether_it_fits(prepared: Project) -> None:
    assert unfinished(prepared) == []
    current = checkpoints(prepared, prepared.experiment("first"))
    size = sum(current.write(step, {"step": step}).stat().st_size for step in (3, 12))
    Checkpoints(paths.checkpoints() / "first-0123456789abcdef").write(5, {})
    Checkpoints(paths.checkpoints() / "gone-too-0123456789abcdef").write(7, {})
    found = {one.experiment + "-" + one.key: one for one in unfinished(prepared)}
    assert {name: (one.step, one.fits, one.why) for name, one in found.items()} == {
        current.folder.name: (12, True, "goes on"),
        "first-0123456789abcdef": (5, False, "changed since"),
        "gone-too-0123456789abcdef": (7, False, "no such experiment"),
    }
    assert found[current.folder.name].size_bytes == size
    remove(found["gone-too-0123456789abcdef"])
    assert len(unfinished(prepared)) == 2


def test_a_knob_that_is_turned_back_fits_again(prepared: Project) -> None:
    checkpoints(prepared, prepared.experiment("first")).write(3, {})
    file = Path("pipelines/first.yaml")
    usual = file.read_text()
    file.write_text(usual.replace("latent_dim: 4", "latent_dim: 5"))
    assert [one.fits for one in unfinished(load_project())] == [False]
    file.write_text(usual.replace("images: 60", "images: 90"))
    assert [one.fits for one in unfinished(load_project())] == [True], "a knob of sampling has no part in it"


def test_what_cannot_be_told_is_not_called_old(project: Path) -> None:
    Checkpoints(paths.checkpoints() / "first-0123456789abcdef").write(5, {})
    (one,) = unfinished(load_project())
    assert one.fits is None
    assert one.why.startswith("cannot be told: ")
    assert "holds no prepared data set" in one.why


def test_a_folder_that_was_left_empty_is_told_too(project: Path) -> None:
    (paths.checkpoints() / "gone-0123456789abcdef").mkdir(parents=True)
    (one,) = unfinished(load_project())
    assert (one.step, one.size_bytes, one.fits) == (0, 0, False)
