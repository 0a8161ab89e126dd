"""What is edited while a stage runs is not recorded as what it had read."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import genpipe.running.stages as stages_module
from genpipe import fingerprints, paths, wiring
from genpipe.errors import InputsChanged
from genpipe.files import whole_folder
from genpipe.running.inputs import Inputs
from genpipe.running.stages import Facts, single, stage
from genpipe.stages import code

CODE = "genpipe/training/loop.py"
DATA = "data/tiny/train_images.npy"
MODEL = "runs/first/model/model.json"


@pytest.fixture
def whole(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project with some of what its trainings depend on."""
    monkeypatch.setattr(fingerprints, "LIBRARY", project)
    (project / "stages").mkdir()
    (project / "stages/train.py").write_text("import genpipe.training.loop\n")
    os.utime(project / "stages/train.py", (1, 1))
    for name in (CODE, DATA):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(name)
        os.utime(project / name, (1, 1))  # long before this process began
    return project


def edit(file: str, old: str, new: str) -> Callable[[], None]:
    def do() -> None:
        text = Path(file).read_text()
        assert old in text
        Path(file).write_text(text.replace(old, new))

    return do


def trained(meanwhile: Callable[[], object] = lambda: None, ran: list[str] | None = None) -> int:
    """The exit status of a stage `train` that makes a model, and of whom something is edited meanwhile."""

    def run(name: str, inputs: Inputs) -> Facts:
        inputs.verify()
        for made in (MODEL, "runs/first/snapshots/steps.npy", "reports/curves/first.csv"):
            Path(made).parent.mkdir(parents=True, exist_ok=True)
            Path(made).write_text("a model" if made == MODEL else "step")
        time.sleep(0.1)  # as long as hashing takes
        meanwhile()
        if ran is not None:
            ran.append(name)
        yield {"images": 3}
        if ran is not None:
            ran.append("recorded")

    return stage("train", run, ["first"])


LR = edit("pipelines/first.yaml", "lr: 0.01", "lr: 0.03")


@pytest.mark.parametrize(
    ("meanwhile", "said"),
    [
        (LR, "pipelines/first.yaml: optim.autoencoder.lr was 0.01 and is 0.03"),
        (edit("pipelines/first.yaml", "seed: 0", "seed: [0"), "pipelines/first.yaml:3: not valid YAML"),
        (
            edit("params.yaml", "model: vae", "model: ae"),
            "params.yaml: `genpipe-stage train first vae tiny` has become `genpipe-stage train first ae tiny`",
        ),
        (edit(CODE, "loop", "lopo"), f"{CODE} has changed"),
        (edit(DATA, "train", "test"), f"{DATA} has changed"),
        (lambda: Path(DATA).unlink(), f"{DATA} is gone"),
    ],
)
def test_an_edit_during_a_stage_ends_it_without_a_result(whole: Path, capsys, meanwhile, said: str) -> None:
    assert trained(meanwhile) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: while train@first ran, something that it reads has changed. Its result is not ")
    assert told.splitlines()[1].startswith(f"  {said}")
    kept = not said.startswith("data/")
    assert ("Undo the change first" in told) == kept, "data may have been read in both states"
    assert ("is not kept" in told) != kept
    assert Path(MODEL).exists() != kept


@pytest.mark.parametrize(
    "meanwhile",
    [
        edit("pipelines/first.yaml", "images: 60", "images: 80"),
        edit("pipelines/first.yaml", "# a small VAE", "# another word"),
        edit("params.yaml", "steps: 60", "steps: 70"),
        lambda: os.utime(DATA),
        lambda: Path("genpipe/training/new.py").write_text(""),
        lambda: Path("genpipe/training/__pycache__").mkdir() or Path("genpipe/training/__pycache__/a.pyc").touch(),
    ],
    ids=["sampling", "comment", "reference", "touch", "new code", "bytecode"],
)
def test_an_edit_of_what_a_stage_does_not_read_is_none_of_its_business(whole: Path, meanwhile) -> None:
    (whole / ".dvcignore").write_text("__pycache__/\n")
    assert trained(meanwhile) == 0
    assert Path(MODEL).exists()


def test_work_that_was_done_is_taken_up_when_the_edit_is_undone(whole: Path, capsys) -> None:
    ran: list[str] = []
    assert trained(LR, ran) == 1
    edit("pipelines/first.yaml", "lr: 0.03", "lr: 0.01")()
    assert trained(ran=ran) == 0
    assert ran == ["first"], "it was run once, and never went on to what is done with a sure result"
    assert "is again what it was" in capsys.readouterr().out
    assert Path(MODEL).read_text() == "a model"
    assert (whole / paths.timing("train", "first")).exists()
    assert not paths.finished("train@first").exists()


def test_an_edit_of_the_index_since_dvc_read_it_is_noticed_before_anything_runs(whole: Path, capsys) -> None:
    ran: list[str] = []

    def run(name: str, inputs: Inputs) -> Facts:
        ran.append(name)
        yield {}

    assert stage("train", run, ["first", "ae", "tiny"]) == 1
    assert "`genpipe-stage train first ae tiny` has become `genpipe-stage train first vae tiny`" in (
        capsys.readouterr().err
    )
    assert ran == []
    assert stage("train", run, ["first", "vae", "tiny"]) == 0


def test_work_is_not_taken_up_for_other_inputs(whole: Path) -> None:
    ran: list[str] = []
    assert trained(LR, ran) == 1
    assert trained(ran=ran) == 0
    assert ran == ["first", "first", "recorded"]
    edit("pipelines/first.yaml", "lr: 0.03", "lr: 0.01")()
    edit(DATA, "train", "test")()
    assert trained(ran=ran) == 0
    assert ran == ["first", "first", "recorded", "first", "recorded"]


def test_damaged_work_is_done_again(whole: Path) -> None:
    ran: list[str] = []
    assert trained(LR, ran) == 1
    edit("pipelines/first.yaml", "lr: 0.03", "lr: 0.01")()
    (paths.finished("train@first") / "inputs.json").write_text("{")
    assert trained(ran=ran) == 0
    assert ran == ["first", "first", "recorded"]


def test_code_that_was_edited_while_a_stage_started_is_not_run(whole: Path, monkeypatch, capsys) -> None:
    os.utime(CODE)
    monkeypatch.setattr(stages_module, "BEGAN_NS", time.time_ns() - 10**9)
    ran: list[str] = []
    assert trained(ran=ran) == 1
    assert f"{CODE} has changed" in capsys.readouterr().err
    assert ran == []
    future = time.time() + 3600
    os.utime(CODE, (future, future))  # as on the disk of a machine whose clock is ahead
    assert trained(ran=ran) == 0


def test_code_that_was_edited_since_it_was_hashed_is_not_run(whole: Path, capsys) -> None:
    fingerprints.write(whole)
    assert trained(ran=(ran := [])) == 0
    edit(CODE, "loop", "lopo")()
    os.utime(CODE, (1, 1))
    assert trained(ran=ran) == 1
    assert "genpipe.training.loop has changed" in capsys.readouterr().err
    assert ran == ["first", "recorded"]
    fingerprints.write(whole)
    assert trained(ran=ran) == 0


def test_an_edit_while_mlflow_is_written_is_one_too(whole: Path, capsys) -> None:
    def run(name: str, inputs: Inputs) -> Facts:
        yield {}
        LR()

    assert stage("train", run, ["first"]) == 1
    assert "optim.autoencoder.lr was 0.01 and is 0.03" in capsys.readouterr().err


def test_an_edit_before_the_knobs_were_read_leaves_nothing_to_take_up(whole: Path) -> None:
    def run(name: str, inputs: Inputs) -> Facts:
        LR()
        inputs.verify()
        yield {}

    assert stage("train", run, ["first"]) == 1
    assert not paths.finished("train@first").exists()


def test_a_stage_of_which_something_persists_is_not_set_aside(whole: Path, capsys) -> None:
    def run(name: str, inputs: Inputs) -> Facts:
        for made in inputs.stage.outs:
            Path(made).parent.mkdir(parents=True, exist_ok=True)
            Path(made).write_text("{}")
        edit("params.yaml", "steps: 60", "steps: 70")()
        yield {}

    assert stage("reference", run, ["tiny"]) == 1
    assert "Undo" not in capsys.readouterr().err
    assert not paths.finished("reference@tiny").exists()


def prepared(meanwhile: Callable[[], object] = lambda: None) -> int:
    """The exit status of a stage `prepare` of whose inputs something is edited meanwhile."""

    def run(name: str, inputs: Inputs) -> Facts:
        with whole_folder(paths.data(name)) as folder:
            (folder / "meta.json").write_text("new")
        time.sleep(0.1)
        meanwhile()
        yield {}

    return stage("prepare", run, ["tiny"])


def test_prepared_data_wait_for_an_edit_to_be_undone(whole: Path, capsys) -> None:
    Path(DATA).with_name("meta.json").write_text("old")
    assert prepared(edit("params.yaml", "size: 8", "size: 9")) == 1
    assert "Undo the change first" in capsys.readouterr().err
    assert not Path("data/tiny").exists()
    edit("params.yaml", "size: 9", "size: 8")()
    assert prepared() == 0
    assert "is again what it was" in capsys.readouterr().out
    assert Path("data/tiny/meta.json").read_text() == "new"


def test_before_all_stages_what_dvc_would_delete_is_named_and_stays(whole: Path, capsys) -> None:
    Path(DATA).with_name("meta.json").write_text("old")
    mine = [Path(f"data/tiny/{number}.png") for number in range(9)]
    for file in mine:
        file.write_text("mine")
    assert code.main() == 1
    told = capsys.readouterr().err
    assert "data/tiny/0.png, data/tiny/1.png" in told
    assert "4 more would be deleted" in told
    assert all(file.read_text() == "mine" for file in mine)
    assert not (whole / paths.CODE).exists()
    for file in mine:
        file.unlink()
    assert code.main() == 0
    assert (whole / paths.code("train", "first")).exists()


IGNORES = {
    ".dvcignore": "__pycache__/\n*.log\n/build/\n",
    "data/.dvcignore": "# notes\n*.txt\n!kept.log\n/tiny/own/\n",
    "data/tiny/.dvcignore": "!kept.txt\n/here.py\nbelow/deep/\n",
    "data/tiny/skipped/.dvcignore": "*\n",
}
LYING = ["a.py", "a.log", "kept.log", "a.txt", "kept.txt", "here.py", "below/here.py", "below/deep/a.py", "deep/a.py"]
LYING += ["own/a.py", "below/own/a.py", "__pycache__/a.pyc", "below/__pycache__/kept.txt", "skipped/a.py", "build/a.py"]


def test_files_are_ignored_as_dvc_ignores_them_in_whatever_folder_it_is_told_so(whole: Path) -> None:
    from dvc.repo import Repo

    for name, text in IGNORES.items():
        (whole / name).parent.mkdir(parents=True, exist_ok=True)
        (whole / name).write_text(text)
    for name in LYING:
        (whole / "data/tiny" / name).parent.mkdir(parents=True, exist_ok=True)
        (whole / "data/tiny" / name).write_text("")
    repo = Repo.init(str(whole), no_scm=True)
    walked = repo.dvcignore.find(repo.fs, str(whole / "data/tiny"))
    theirs = {Path(path).relative_to(whole).as_posix() for path in walked}
    ours = {path for path in Inputs(whole, wiring.stage(whole, "train", "first")).files if "/tiny/" in path}
    assert ours == theirs
    assert 0 < len(ours) < len(LYING)


def test_what_cannot_be_kept_hides_no_edit(whole: Path, capsys) -> None:
    (whole / ".genpipe").write_text("in the way")
    assert trained(LR) == 1
    told = capsys.readouterr().err
    assert "optim.autoencoder.lr was 0.01 and is 0.03" in told
    assert "What it made could not be kept" in told


def test_killed_while_it_is_taken_up_nothing_is_taken_for_the_whole(whole: Path, monkeypatch) -> None:
    ran: list[str] = []
    assert trained(LR, ran) == 1
    edit("pipelines/first.yaml", "lr: 0.03", "lr: 0.01")()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("genpipe.running.setting_aside._move", killed)
        assert trained(ran=ran) == 130
    assert trained(ran=ran) == 0
    assert ran == ["first", "first", "recorded"]


@pytest.mark.parametrize("name", ["check", "report"])
def test_a_stage_that_there_is_once_is_held_to_it_too(whole: Path, capsys, name: str) -> None:
    assert single(name, edit("params.yaml", "steps: 60", "steps: 70")) == 1
    assert f"while {name} ran" in capsys.readouterr().err
    assert single(name, lambda: edit("params.yaml", "steps: 70", "steps: 60")) == 1, "an edit in what comes after"
    assert f"while {name} ran" in capsys.readouterr().err
    assert single(name, lambda: None) == 0


def test_every_stage_of_the_wiring_is_read_with_its_paths(whole: Path) -> None:
    found = wiring.stage(whole, "evaluate", "first")
    assert {"runs/code/evaluate/first.json", "data/tiny", "runs/first/samples"} < set(found.deps)
    assert found.params["pipelines/first.yaml"] == ("evaluate", "analyses")
    assert found.params["params.yaml"] == ("seed", "reference")
    assert "reports/scores/first.json" in found.outs
    assert {"reports/metrics/first.json", "reports/score_curves/first.csv"} < set(found.outs)
    assert "runs/first/evidence" not in found.outs, "it persists"


def test_a_file_that_changed_before_it_was_hashed_is_no_input_to_come_back_to(whole: Path, monkeypatch) -> None:
    monkeypatch.setattr("genpipe.running.inputs._hashed", lambda path, stamp: None)
    inputs = Inputs(whole, wiring.stage(whole, "train", "first"))
    assert inputs.fingerprint() is None
    os.utime(DATA, (2, 2))
    with pytest.raises(InputsChanged, match=f"{DATA} has changed"):
        inputs.verify()
