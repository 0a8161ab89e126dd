"""Two who change a project at once, and one who is killed while changing it."""

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from genpipe import paths
from genpipe.config.project import Project
from genpipe.errors import ExistsError
from genpipe.files import write_json
from genpipe.project import graph, lock
from genpipe.project.datasets import plan_data
from genpipe.project.existing import removal, renaming
from genpipe.project.journal import pending
from genpipe.project.lock import carry_out, changing, interrupted
from genpipe.project.new_experiment import ExperimentRequest, plan
from genpipe.project.plan import Plan

Change = Callable[[Project], Plan]
MADE = ("runs/vae/model/model.json", "runs/vae/model/model.safetensors", "runs/vae/samples/images.npy")
CHANGES: dict[str, Change] = {
    "new": lambda project: plan(project, ExperimentRequest("new", "pca")),
    "rename": lambda project: renaming(project, "vae", "renamed"),
    "remove": lambda project: removal(project, "vae", outputs=True, force=True),
    "data": lambda project: plan_data(project, "new", {"source": "folder", "path": "pictures", "image_size": 8}),
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC is not asked, and the disk is not waited for."""
    monkeypatch.setattr(graph, "verify", lambda *_: None)
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def root(small_project: Path) -> Path:
    from PIL import Image

    for name in MADE:
        (small_project / name).parent.mkdir(parents=True, exist_ok=True)
        (small_project / name).write_text("made")
    (small_project / "pictures").mkdir()
    for number in range(12):
        Image.new("L", (8, 8)).save(small_project / "pictures" / f"{number}.png")
    return small_project


def contents(root: Path) -> dict[str, bytes]:
    """Every file but what genpipe keeps for itself, and of that the leftovers."""
    lasting = {".genpipe/changing.lock", ".genpipe/changing.json"}
    found = {str(file.relative_to(root)): file for file in root.rglob("*") if file.is_file()}
    return {name: file.read_bytes() for name, file in found.items() if name not in lasting}


def forked(run: Callable[[], None]) -> int:
    """The exit status of a function in a process of its own; 1 if it raises."""
    child = os.fork()
    if not child:
        try:
            run()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_before(number: int, root: Path, planned: Plan) -> bool:
    """Whether a process that carries out a plan was killed, which happens before its n-th touch of a file."""
    touches = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}
    left = number

    def kill(event: str, given: tuple[object, ...]) -> None:
        nonlocal left
        if event in touches or (event == "open" and isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR)):
            left -= 1
            if left == 0:
                os._exit(9)

    def run() -> None:
        sys.addaudithook(kill)
        with changing(root):
            planned.write()

    return forked(run) == 9


def numbers(root: Path, planned: Plan) -> Iterator[int]:
    """1, 2, 3 … for as long as the change is killed before so many touches."""
    number = 1
    while killed_before(number, root, planned):
        yield number
        number += 1


@pytest.mark.parametrize("name", CHANGES)
def test_a_killed_change_is_undone_or_finished_by_the_next(root: Path, name: str) -> None:
    from shutil import copytree, rmtree

    before, spare = contents(root), root.parent / f"{root.name}-spare"
    planned = CHANGES[name](Project(root))
    copytree(root, spare)
    carry_out(root, CHANGES[name])
    after = contents(root)
    assert after != before
    seen = set()

    def fresh() -> None:
        rmtree(root)
        copytree(spare, root)

    fresh()
    for _ in numbers(root, planned):
        with changing(root):
            pass
        found = contents(root)
        assert found in (before, after)
        assert pending(root) is None
        seen.add(found == after)
        fresh()
    assert False in seen
    assert contents(root) == after, "the last was not killed"


def test_a_half_done_change_is_shown(root: Path) -> None:
    for _ in numbers(root, CHANGES["rename"](Project(root))):
        found = interrupted(root)
        if found and (root / "pipelines" / "renamed.yaml").exists():
            break
    assert found
    with changing(root):
        assert interrupted(root) is None


def test_what_was_edited_since_is_not_lost(root: Path) -> None:
    for _ in numbers(root, CHANGES["rename"](Project(root))):
        if (root / "pipelines" / "renamed.yaml").exists():
            break
    (root / "pipelines" / "renamed.yaml").write_text("mine")
    before = contents(root)
    with pytest.raises(ExistsError, match=r"renamed\.yaml has been edited since.*genpipe clean --yes"), changing(root):
        pass
    assert contents(root) == before
    with changing(root, keep=True):
        pass
    assert (root / "pipelines" / "renamed.yaml").read_text() == "mine"
    assert pending(root) is None


def test_all_of_many_at_once_are_written(root: Path) -> None:
    context = multiprocessing.get_context("fork")
    started = context.Barrier(4)

    def run(number: int) -> None:
        started.wait()
        carry_out(root, lambda project: plan(project, ExperimentRequest(f"n{number}", "pca")))

    processes = [context.Process(target=run, args=(number,)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert {*Project(root).index.experiments} == {"vae", "n0", "n1", "n2", "n3"}


def test_who_holds_the_project_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = multiprocessing.get_context("fork")
    held = context.Event()

    def hold() -> None:
        sys.argv = ["genpipe", "rename", "a", "b"]
        with changing(root):
            held.set()
            time.sleep(60)

    process = context.Process(target=hold)
    process.start()
    held.wait()
    monkeypatch.setattr(lock, "WAIT_SEC", 0.1)
    with pytest.raises(ExistsError, match=rf"`genpipe rename a b` \(process {process.pid}, since 20.*0\.1 s"):
        carry_out(root, CHANGES["new"])
    assert interrupted(root) is None
    process.kill()
    process.join()
    carry_out(root, CHANGES["new"])
    assert "new" in Project(root).index.experiments


def test_a_damaged_note_is_one_message(root: Path) -> None:
    write_json(paths.private(root) / "journal.json", {"files": 3})
    with pytest.raises(Exception, match=r"journal\.json is damaged"), changing(root):
        pass
