import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from genpipe import files
from genpipe.config.project import Project
from genpipe.errors import ConfigError, ExistsError, UnknownName, UsageError
from genpipe.project.existing import outputs_of, removal, renaming
from genpipe.project.new_experiment import ExperimentRequest, plan

Contents = Callable[[], dict[str, str]]
MADE = {
    "runs/vae/model/model.json": "{}",
    "runs/vae/model/model.safetensors": "",
    "runs/vae/samples/images.npy": "",
    "reports/scores/vae.json": '{"how": {}}',
    "reports/figures/vae/sample_grid.png": "",
    "runs/timings/train/vae.json": '{"wall_sec": 1}',
    ".genpipe/checkpoints/vae-0123456789abcdef/x.pt": "",
}
OTHERS = [
    "runs/vae2/samples/images.npy",
    "reports/scores/vae2.json",
    ".genpipe/checkpoints/vae-2-0123456789abcdef/x.pt",
]


@pytest.fixture
def committed(small_project: Path) -> Path:
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "1"]):
        subprocess.run(["git", *words], cwd=small_project, check=True)
    return small_project


@pytest.fixture
def run(committed: Path) -> Path:
    """The project after its experiment has run."""
    for name, text in {**MADE, **dict.fromkeys(OTHERS, "made")}.items():
        (committed / name).parent.mkdir(parents=True, exist_ok=True)
        (committed / name).write_text(text)
    return committed


@pytest.fixture
def contents(small_project: Path) -> Contents:
    """Every file of the small project but git's own, read at each call."""

    def read() -> dict[str, str]:
        found = {str(f.relative_to(small_project)): f for f in small_project.rglob("*") if f.is_file()}
        return {name: f.read_text() for name, f in found.items() if not name.startswith((".git/", "elsewhere/"))}

    return read


def test_the_line_and_the_file_go_and_nothing_else(committed: Path, contents: Contents) -> None:
    plan(Project(committed), ExperimentRequest("other", "pca")).write()
    before = contents()
    removal(Project(committed), "vae").write()
    line = "    vae: {model: vae, data: mnist5k} # the first\n"
    expected = {name: text.replace(line, "") for name, text in before.items() if name != "pipelines/vae.yaml"}
    assert contents() == expected


def test_the_last_experiment_can_go(committed: Path) -> None:
    removal(Project(committed), "vae").write()
    assert Project(committed).index.experiments == {}
    assert "experiments: {} # name: {model, data}\n" in (committed / "params.yaml").read_text()
    plan(Project(committed), ExperimentRequest("new", "pca")).write()
    assert list(Project(committed).index.experiments) == ["new"]


@pytest.mark.parametrize("state", ["changed", "staged", "new", "ignored", "no git"])
def test_what_git_does_not_hold_is_not_lost_without_force(committed: Path, state: str, contents: Contents) -> None:
    file, name = committed / "pipelines" / "vae.yaml", "vae"
    if state in {"changed", "staged"}:
        file.write_text(file.read_text() + "# mine\n")
    if state == "staged":
        subprocess.run(["git", "add", "-A"], cwd=committed, check=True)
    if state in {"new", "ignored"}:
        name = "new"
        plan(Project(committed), ExperimentRequest(name, "pca")).write()
    if state == "ignored":
        (committed / ".gitignore").write_text("new.yaml\n")
    if state == "no git":
        (committed / ".git").rename(committed / "elsewhere")
    before = contents()
    with pytest.raises(ExistsError, match=rf"pipelines/{name}\.yaml would be lost.*--force"):
        removal(Project(committed), name)
    assert contents() == before
    removal(Project(committed), name, force=True).write()
    assert name not in Project(committed).index.experiments


def test_what_it_made_goes_only_if_wished(run: Path) -> None:
    removal(Project(run), "vae").write()
    assert all((run / name).exists() for name in MADE)
    removal(Project(run), "vae", outputs=True).write()
    assert not any((run / name).exists() for name in MADE)
    assert all((run / name).exists() for name in OTHERS)
    assert outputs_of(run, "vae") == []
    assert not list((run / ".genpipe").glob("trash-*"))


def test_a_failure_brings_everything_back(run: Path, contents: Contents, monkeypatch: pytest.MonkeyPatch) -> None:
    planned, before, rename = removal(Project(run), "vae", outputs=True), contents(), Path.rename

    def stuck(path: Path, target: Path) -> Path:
        if path == run / planned.outputs[-1]:
            raise PermissionError(13, "Permission denied", str(path))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", stuck)
    with pytest.raises(PermissionError):
        planned.write()
    assert contents() == before
    assert not list((run / ".genpipe").glob("trash-*"))


@pytest.mark.parametrize("name", ["vea", "../vae", "", "reference"])
def test_an_unknown_name_is_refused(run: Path, name: str) -> None:
    with pytest.raises(UnknownName, match="no experiment in"):
        removal(Project(run), name)
    with pytest.raises(UnknownName, match="no experiment in"):
        renaming(Project(run), name, "fine")


def test_a_rename_moves_the_file_and_keeps_the_place_and_the_comment(committed: Path, contents: Contents) -> None:
    plan(Project(committed), ExperimentRequest("other", "pca")).write()
    before = contents()
    renamed = renaming(Project(committed), "vae", "1")
    renamed.write()
    after = contents()
    assert after["params.yaml"] == before["params.yaml"].replace("    vae: {model", '    "1": {model')
    assert after["pipelines/1.yaml"] == before["pipelines/vae.yaml"]
    assert "pipelines/vae.yaml" not in after
    assert Project(committed).experiment("1").model_name == "vae"
    assert [stage for stage in renamed.stages() if stage.endswith("@1")] == ["train@1", "sample@1", "evaluate@1"]


def test_a_rename_is_done_whole_or_not_at_all(
    committed: Path, contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned, before, write = renaming(Project(committed), "vae", "new"), contents(), files.write_text
    monkeypatch.setattr(
        files, "write_text", lambda path, text: write(path, text) if "params" not in path.name else 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        planned.write()
    assert contents() == before


@pytest.mark.parametrize(
    ("new", "error", "message"),
    [
        ("a b", UsageError, "cannot be called 'a b'"),
        ("../x", UsageError, "cannot be called"),
        ("vae", ExistsError, r"experiments\.vae of params\.yaml exists"),
        ("stray", ExistsError, r"pipelines/stray\.yaml exists"),
        ("checked.json", ConfigError, "DVC would refuse"),
    ],
)
def test_a_name_that_cannot_be_had(
    committed: Path, contents: Contents, new: str, error: type[Exception], message: str
) -> None:
    (committed / "pipelines" / "stray.yaml").write_text("seed: 0\n")
    before = contents()
    with pytest.raises(error, match=message):
        renaming(Project(committed), "vae", new).write()
    assert contents() == before
