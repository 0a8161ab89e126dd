"""Of a file that is edited while a stage runs: whether it is known which of its states was read."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from genpipe import fingerprints, paths, wiring
from genpipe.errors import InputsChanged, TrainingError
from genpipe.running.inputs import Inputs
from genpipe.running.stages import Facts, stage
from genpipe.training import devices
from genpipe.training.checkpoints import Checkpoints

EARLY, LATE, NEVER = "genpipe/training/loop.py", "genpipe/nn/late.py", "genpipe/nn/never.py"
DATA = "data/tiny/train_images.npy"
MODEL = "runs/first/model/model.json"
EVIDENCE = "runs/first/evidence/pixels/about.json"


@pytest.fixture
def whole(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The project with some code and some data; one of the files of code is imported."""
    monkeypatch.setattr(fingerprints, "LIBRARY", project)
    for name in ("train", "sample", "evaluate"):
        (project / "stages").mkdir(exist_ok=True)
        (project / f"stages/{name}.py").write_text("import genpipe.training.loop, genpipe.nn.late, genpipe.nn.never\n")
        os.utime(project / f"stages/{name}.py", (1, 1))
    for name in (EARLY, LATE, NEVER, DATA, MODEL):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("value = 1\n")
        os.utime(project / name, (1, 1))  # long before this process began
    before = set(sys.modules)
    load(EARLY)
    yield project
    for name in set(sys.modules) - before:
        del sys.modules[name]


def load(file: str) -> None:
    """Imports a file of the project."""
    name = f"of_the_project.{Path(file).stem}"
    spec = spec_from_file_location(name, Path(file).resolve())
    assert spec
    assert spec.loader
    sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])


def write(file: str, text: str = "value = 2\n") -> Callable[[], object]:
    return lambda: Path(file).write_text(text)


def nothing() -> None:
    pass


def ran(
    meanwhile: Callable[[], object] = nothing,
    name: str = "train",
    key: str = "first",
    facts: list[str] | None = None,
) -> int:
    """The exit status of a stage that makes all its outputs, while something happens."""

    def run(_: str, inputs: Inputs) -> Facts:
        inputs.verify()
        inputs.fingerprint()
        for made in (*inputs.stage.outs, *(f"{kept}/pixels/about.json" for kept in inputs.stage.persists)):
            Path(made).parent.mkdir(parents=True, exist_ok=True)
            if not Path(made).is_dir():
                Path(made).write_text("{}")
        meanwhile()
        if facts is not None:
            facts.append("ran")
        yield {}

    return stage(name, run, [key])


def both(*acts: Callable[[], object]) -> Callable[[], None]:
    def do() -> None:
        for act in acts:
            act()

    return do


@pytest.mark.parametrize("name", ["train", "sample"])
@pytest.mark.parametrize(
    ("meanwhile", "kept"),
    [
        (write(EARLY), True),
        (lambda: Path(EARLY).unlink(), True),
        (write(NEVER), True),
        (lambda: Path(NEVER).unlink(), False),
        (both(write(LATE), lambda: load(LATE)), False),
        (both(lambda: load(LATE), write(LATE)), False),
        (both(write(LATE), lambda: load(LATE), write(LATE, "value = 1\n")), False),
        (write(DATA), False),
        (both(write(EARLY), write(DATA)), False),
        (both(write(EARLY), lambda: sys.modules.update({"multiprocessing.popen_spawn_posix": sys})), False),
    ],
    ids=[
        *("imported", "imported, gone", "never imported", "never imported, gone", "imported later", "edited later"),
        *("put back", "data", "both", "worker processes"),
    ],
)
def test_work_is_kept_if_what_was_read_is_known(
    whole: Path, capsys, name: str, meanwhile: Callable[[], object], kept: bool
) -> None:
    before = {file: Path(file).read_text() for file in (EARLY, LATE, NEVER, DATA)}
    assert ran(meanwhile, name) == 1
    told = capsys.readouterr().err
    assert ("what it made is taken up again" in told) == kept
    assert ("What it made is not kept" in told) != kept
    for file, text in before.items():
        Path(file).write_text(text)
        os.utime(file, (2, 2))
    again: list[str] = []
    assert ran(name=name, facts=again) == 0
    assert again == ([] if kept else ["ran"])


def test_an_edit_while_hashes_are_compared_leaves_work_where_it_is(whole: Path, monkeypatch, capsys) -> None:
    assert ran(write(EARLY)) == 1
    write(EARLY, "value = 1\n")()
    os.utime(EARLY, (2, 2))
    fingerprint = Inputs.fingerprint

    def edited(inputs: Inputs) -> object:
        found = fingerprint(inputs)
        write(DATA)()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Inputs, "fingerprint", edited)
        assert ran() == 1
    assert not Path("runs/first/snapshots").exists()
    write(DATA, "value = 1\n")()
    assert ran() == 0
    assert "is again what it was" in capsys.readouterr().out


def test_code_that_is_really_spawned_counts_as_read_later() -> None:
    from multiprocessing import get_context

    from genpipe.running.code import imported_by_others

    with get_context("spawn").Pool(1) as pool:
        pool.apply(os.getpid)
    assert imported_by_others()


def test_what_was_there_before_is_not_taken_for_what_a_stage_made(whole: Path) -> None:
    assert ran() == 0

    def run(_: str, inputs: Inputs) -> Facts:
        inputs.fingerprint()
        write(EARLY)()
        inputs.verify()
        yield {}

    assert stage("train", run, ["first"]) == 1
    assert not paths.finished("train@first").exists()


def test_no_checkpoint_is_written_once_data_were_edited(whole: Path) -> None:
    inputs = Inputs(whole, wiring.stage(whole, "train", "first"))
    inputs.verify()
    inputs.fingerprint()
    checkpoints = Checkpoints(whole / "checkpoints", inputs.verify_state)
    write(EARLY)()
    os.utime(DATA)
    checkpoints.write(1, {"step": 1})
    write(DATA)()
    with pytest.raises(InputsChanged, match=r"train_images\.npy has changed\n.*goes on from the checkpoint before it"):
        checkpoints.write(2, {"step": 2})
    assert [file.name[:14] for file in checkpoints.files()] == ["step-000000001"]


def test_processes_that_read_different_code_do_not_train_together(monkeypatch: pytest.MonkeyPatch) -> None:
    device = devices.fabric("32-true")
    devices.verify_alike(device, "first-0123")
    monkeypatch.setattr(devices, "gathered", lambda device, key: [key, "first-4567"])
    with pytest.raises(TrainingError, match="different knobs, data or code"):
        devices.verify_alike(device, "first-0123")


@pytest.mark.parametrize(("meanwhile", "kept"), [(write(EARLY), True), (write(DATA), False)])
def test_what_persists_is_removed_if_it_may_be_made_of_both(whole: Path, capsys, meanwhile, kept: bool) -> None:
    assert ran(meanwhile, "evaluate") == 1
    assert Path(EVIDENCE).exists() == kept
    told = capsys.readouterr().err
    assert ("What it made is not kept, but for runs/first/evidence." in told) == kept
    assert ("it may have read some of that before and after" in told) != kept


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        (nothing, True),
        (lambda: os.utime(DATA, (2, 2)), False),
        (both(write(DATA), write(DATA, "value = 1\n"), lambda: os.utime(DATA, (1, 1))), False),
    ],
    ids=["left alone", "touched", "edited and put back with its old time"],
)
def test_what_a_killed_stage_stored_is_trusted_if_no_file_was_touched(whole: Path, after, kept: bool) -> None:
    class Killed(BaseException):
        """So that nothing is done any more."""

    def killed() -> None:
        begun.write_bytes(before := begun.read_bytes())
        raise Killed(before)

    begun = paths.begun(whole, "evaluate@first")
    with pytest.raises(Killed) as ended:
        ran(killed, "evaluate")
    assert not begun.exists()
    begun.write_bytes(ended.value.args[0])  # which a kill leaves there
    time.sleep(0.01)
    after()
    found: list[bool] = []

    def run(_: str, inputs: Inputs) -> Facts:
        found.append(Path(EVIDENCE).exists())
        inputs.verify()
        yield {}

    assert stage("evaluate", run, ["first"]) == 0
    assert found == [kept]
    assert not begun.exists()
