import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genpipe import paths, registry
from genpipe.config.project import Project, load_project
from genpipe.dataset.preparing import prepare
from genpipe.project.journal import Journal
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.experiment import checkpoints

Run = Callable[..., Any]


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the process was replaced by, and where."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(os, "execv", lambda *given: calls.append((*given, Path.cwd())))
    return calls


def test_train_is_dvc_repro_with_its_options(genpipe: Run, replaced: list[Any], small_project: Path) -> None:
    (small_project / "below").mkdir()
    os.chdir(small_project / "below")
    assert genpipe("train", "vae", "--force", "-v").status == 0
    command = [sys.executable, "-m", "dvc", "repro", "train@vae", "--force", "-v"]
    assert replaced == [(sys.executable, command, small_project)]


def test_train_knows_the_nearest_name(genpipe: Run, replaced: list[Any]) -> None:
    done = genpipe("train", "vea")
    assert (done.status, replaced) == (1, [])
    assert "Did you mean 'vae'?" in done.err


@pytest.fixture
def tiny(genpipe: Run, small_project: Path) -> Project:
    """The small project with other images in place of its own."""
    digits = registry.load("data", "digits")
    source = digits(digits.Config(test_images=360), small_project)
    prepare(source, image_size=32, resize_mode="pad", seed=0, folder=small_project / paths.data("mnist5k"))
    return load_project()


@pytest.mark.usefixtures("tiny")
def test_the_largest_batch_is_estimated_where_there_is_no_gpu(genpipe: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from psutil import virtual_memory

    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    said = genpipe("train", "vae", "--find-batch").out
    assert said.startswith("The largest batch that fits has 1,437 images, the whole training set (its tensors")
    assert said.endswith("train.batch_size is 64.\n")
    little = virtual_memory()._replace(available=10_000_000)
    monkeypatch.setattr("psutil.virtual_memory", lambda: little)
    said = genpipe("train", "vae", "--find-batch").out
    assert "in 10.0 MB of free memory" in said
    found = int(said.split("fits has ")[1].split(" ")[0])
    assert 1 < found < 1437
    monkeypatch.setattr("psutil.virtual_memory", lambda: little._replace(available=1000))
    assert genpipe("train", "vae", "--find-batch").out.startswith("Not even a batch of one image fits")


@pytest.mark.usefixtures("tiny")
def test_the_largest_batch_is_tried_on_a_gpu(genpipe: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from genpipe.training import batchsize

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "a GPU")
    monkeypatch.setattr(batchsize, "fits_here", lambda _, experiment: experiment.knobs.train.batch_size <= 37)
    said = genpipe("train", "vae", "--find-batch").out
    assert said.startswith("The largest batch that fits has 37 images (tried on a GPU")


def test_a_search_takes_no_options_of_dvc(genpipe: Run, tiny: Project) -> None:
    done = genpipe("train", "vae", "--find-batch", "--force")
    assert (done.status, done.err) == (2, "error: --find-batch takes only a name; leave out --force.\n")


def test_clean_shows_everything_and_removes_what_is_old(genpipe: Run, tiny: Project) -> None:
    assert genpipe("clean").out == "No training is unfinished.\n"
    current = checkpoints(tiny, tiny.experiment("vae"))
    current.write(12, {})
    old = Checkpoints(paths.checkpoints() / "vae-0123456789abcdef")
    old.write(5, {})
    shown = genpipe("clean")
    assert "changed since" in shown.out
    assert "goes on" in shown.out
    assert shown.out.endswith("Nothing is removed. To remove 1 of them: genpipe clean --yes\n")
    assert old.folder.exists()
    assert genpipe("clean", "--yes").out.endswith("Removed 1 of them.\n")
    assert (old.folder.exists(), current.folder.exists()) == (False, True)
    assert "removed" not in genpipe("clean", "--yes").out.lower()
    assert genpipe("clean", "--all").out.endswith("To remove 1 of them: genpipe clean --yes --all\n")
    assert genpipe("clean", "--all", "--yes").status == 0
    assert not current.folder.exists()


def test_clean_shows_and_removes_what_killed_commands_have_left(genpipe: Run, small_project: Path) -> None:
    names = ("pipelines/.x.yaml.0123abcd.tmp", "runs/x/.model.0123abcd.tmp/model.json", ".genpipe/trash-0123abcd/0")
    kept = ("pipelines/.x.yaml.tmp", "data/mine/x.0123abcd.tmp")
    for name in (*names, *kept):
        (small_project / name).parent.mkdir(parents=True, exist_ok=True)
        (small_project / name).write_text("x")
    assert "may still be in use" in genpipe("clean", "--yes").out
    assert all((small_project / name).exists() for name in names)
    for file in small_project.rglob("*"):
        os.utime(file, (0, 0))
    shown = genpipe("clean").out
    assert "runs/x/.model.0123abcd.tmp " in shown
    assert shown.endswith("Nothing is removed. To remove 3 of them: genpipe clean --yes\n")
    assert genpipe("clean", "--yes").out.endswith("Removed 3 of them.\n")
    assert not any((small_project / name).exists() for name in names)
    assert all((small_project / name).exists() for name in kept)


def test_clean_shows_what_waits_for_an_edit_to_be_undone_and_keeps_it_unless_told(
    genpipe: Run, small_project: Path
) -> None:
    waits = small_project / ".genpipe/finished/train@vae"
    waits.mkdir(parents=True)
    os.utime(waits, (1, 1))
    assert re.search(r"\.genpipe/finished/train@vae .* useful if the edit is undone", genpipe("clean", "--yes").out)
    assert waits.exists()
    genpipe("clean", "--yes", "--all")
    assert not waits.exists()


def test_clean_and_check_tell_of_a_half_done_change_and_clean_undoes_it(genpipe: Run, small_project: Path) -> None:
    text = (small_project / "pipelines" / "vae.yaml").read_text()
    Journal.of("genpipe rename vae new", [("pipelines/new.yaml", None, text)], []).note(small_project)
    (small_project / "pipelines" / "new.yaml").write_text(text)
    assert "`genpipe rename vae new` was killed half-way. To undo it: genpipe clean --yes" in genpipe("check").out
    assert genpipe("clean").out.startswith("`genpipe rename vae new` was killed half-way")
    assert genpipe("clean", "--yes").out.endswith("Removed what was half done.\n")
    assert not (small_project / "pipelines" / "new.yaml").exists()
    assert "killed" not in genpipe("check").out


def test_clean_asks_on_a_terminal(genpipe: Run, tiny: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Checkpoints(paths.checkpoints() / "vae-0123456789abcdef")
    old.write(5, {})
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    for answer, left in ((False, True), (True, False)):
        monkeypatch.setattr("typer.confirm", lambda _, answer=answer: answer)
        genpipe("clean")
        assert old.folder.exists() == left
