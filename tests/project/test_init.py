"""A new project: what is written, what is left alone, and that nothing is written by halves."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from genpipe import paths
from genpipe.cli import main
from genpipe.config import wiring
from genpipe.config.project import Project
from genpipe.errors import ConfigError, ExistsError, GenpipeError, UsageError
from genpipe.project import init, template
from genpipe.project.checking import problems
from genpipe.project.datasets import plan_data
from genpipe.project.init import beginning
from genpipe.project.lock import carry_out
from genpipe.project.new_experiment import ExperimentRequest, plan
from genpipe.project.refresh import deviations, renewal

ROOT = Path(__file__).parents[2]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for projects, in no git repository."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


@pytest.fixture
def wired(own: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new project without git and DVC, which takes no time."""
    monkeypatch.setattr(init, "_called", lambda root, said, words: None)
    beginning(own / "lab", None).write()
    return own / "lab"


def texts(root: Path) -> dict[str, str]:
    private = (".git", ".dvc", ".genpipe")
    found = (file for file in root.rglob("*") if file.is_file() and file.relative_to(root).parts[0] not in private)
    return {str(file.relative_to(root)): file.read_text() for file in found}


def git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout


def test_a_new_project_has_the_wiring_of_the_repository_and_is_fine(own: Path) -> None:
    beginning(Path("lab"), "mine").write()
    root = own / "lab"
    wired = ("dvc.yaml", "stages/code/dvc.yaml", *(f"stages/{file.name}" for file in ROOT.glob("stages/*.py")))
    for name in (*wired, ".gitignore", ".dvcignore"):
        assert (root / name).read_text() == (ROOT / name).read_text(), name
    assert problems(root) == []
    assert deviations(root) == []
    project = Project(root)
    assert project.index.package == "mine"
    assert list(project.index.experiments) == ["first"]
    assert len((root / "README.md").read_text().splitlines()) == 10
    assert (root / ".github/workflows/genpipe.yaml").is_file()
    assert git(root, "rev-parse", "--show-toplevel").strip() == str(root.resolve())
    assert (root / ".dvc" / "config").is_file()
    assert not list((root / ".genpipe").glob("*.json")), "nothing is left half done"


def test_an_existing_repository_keeps_what_it_has(own: Path) -> None:
    root = own / "repo"
    root.mkdir()
    git(root, "init", "-q")
    mine = {"README.md": "# Mine\n", ".gitignore": "/secret\n/data/", "code.py": "x = 1\n"}
    for name, text in mine.items():
        (root / name).write_text(text)
    found = beginning(root, None)
    found.write()
    assert not found.needs_git
    assert [str(file) for file in found.kept] == ["README.md"]
    after = texts(root)
    assert after["README.md"] == mine["README.md"]
    assert after["code.py"] == mine["code.py"]
    lines = after[".gitignore"].splitlines()
    assert lines[:2] == ["/secret", "/data/"]
    assert set(lines) >= set((ROOT / ".gitignore").read_text().splitlines())
    assert lines.count("/data/") == 1


def test_a_package_that_is_there_stays_as_it_is(wired: Path) -> None:
    root = wired.parent / "other"
    (root / "mine").mkdir(parents=True)
    (root / "mine" / "__init__.py").write_text("x = 1\n")
    beginning(root, "mine").write()
    assert (root / "mine" / "__init__.py").read_text() == "x = 1\n"
    assert Project(root).index.package == "mine"


def test_a_folder_of_a_repository_gets_a_dvc_of_its_own(own: Path) -> None:
    git(own, "init", "-q")
    beginning(own / "below" / "lab", None).write()
    assert not (own / "below" / "lab" / ".git").exists()
    assert (own / "below" / "lab" / ".dvc").is_dir()


def test_nothing_is_written_to_see_what_would_be(own: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["genpipe", "init", "lab", "--dry-run"])
    assert main.run() == 0
    assert "Would write dvc.yaml, stages/code/dvc.yaml, stages/check.py" in capsys.readouterr().out
    assert list(own.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("dvc.yaml", "stages: {}\n", r"dvc\.yaml of .* would be overwritten"),
        ("params.yaml", "a: 1\n", r"params\.yaml of .* would be overwritten"),
        ("stages/train.py", "x = 1\n", r"stages/train\.py of .* would be overwritten"),
        ("pipelines/first.yaml", "x: 1\n", r"pipelines/first\.yaml of .* would be overwritten"),
        ("data/digits/me.png", "x", r"data/digits/me\.png would be deleted"),
        ("runs/first/model/notes.txt", "x", r"runs/first/model/notes\.txt would be deleted"),
    ],
)
def test_nothing_of_a_person_s_is_overwritten(own: Path, file: str, text: str, said: str) -> None:
    (own / file).parent.mkdir(parents=True, exist_ok=True)
    (own / file).write_text(text)
    with pytest.raises(ExistsError, match=said):
        beginning(own, None)
    assert texts(own) == {file: text}


def test_a_project_is_told_to_renew_its_wiring(wired: Path) -> None:
    Path("lab/params.yaml").write_text((wired / "params.yaml").read_text() + "# mine\n")
    with pytest.raises(ExistsError, match="genpipe init --refresh"):
        beginning(wired, None)


@pytest.mark.parametrize(
    "name", ["class", "2x", "a-b", "", "_mine", "data", "runs", "stages", "genpipe", "numpy", "json", "über"]
)
def test_a_package_that_cannot_be_called_so(own: Path, name: str) -> None:
    with pytest.raises(UsageError, match="--package: '"):
        beginning(own / "lab", name)
    assert list(own.iterdir()) == []


def test_a_file_is_no_folder(own: Path) -> None:
    (own / "lab").write_text("x")
    with pytest.raises(UsageError, match="is no folder"):
        beginning(own / "lab", None)


@pytest.mark.parametrize("folder", ["new", "below/new", "."])
def test_where_nothing_can_be_written_nothing_is_left(own: Path, monkeypatch, folder: str) -> None:
    def fails(root: Path, said: str, words: list[str]) -> None:
        if said == "dvc init":
            raise GenpipeError("dvc init failed: no room")

    monkeypatch.setattr(init, "_called", fails)
    with pytest.raises(GenpipeError, match="no room"):
        beginning(own / folder, None).write()
    assert list(own.iterdir()) == []


def test_a_place_below_a_file_is_one_message(own: Path, monkeypatch, capsys) -> None:
    (own / "file").write_text("x")
    monkeypatch.setattr("sys.argv", ["genpipe", "init", "file/lab"])
    assert main.run() == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert texts(own) == {"file": "x"}


def test_a_name_that_is_too_long_is_one_message(own: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["genpipe", "init", f"below/{'x' * 300}"])
    assert main.run() == 1
    assert "File name too long" in capsys.readouterr().err
    assert list(own.iterdir()) == []


def test_without_git_nothing_begins(own: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(own))
    with pytest.raises(GenpipeError, match="git is not on the path"):
        beginning(own / "lab", None).write()
    assert list(own.iterdir()) == []


def edit(root: Path, file: str, change: Callable[[str], str]) -> None:
    (root / file).write_text(change((root / file).read_text()))


def test_the_wiring_of_another_edition_is_renewed(wired: Path, monkeypatch) -> None:
    edit(wired, "dvc.yaml", lambda text: text.replace("      - runs/sources\n", ""))
    edit(wired, "stages/train.py", lambda text: text + "# another edition\n")
    assert deviations(wired) == ["dvc.yaml: stages.check.outs", "stages/train.py"]
    old = {file: (wired / file).read_text() for file in (Path("dvc.yaml"), Path("stages/train.py"))}
    known = [template.digest(file, text) for file, text in old.items()]
    monkeypatch.setattr(
        template, "read_text", lambda file: " ".join(known) if file.suffix == ".txt" else file.read_text()
    )
    renewal(wired).write()
    assert deviations(wired) == []
    assert (wired / "dvc.yaml").read_text() == (ROOT / "dvc.yaml").read_text()
    assert renewal(wired).changes == []


def test_a_stage_that_dvc_yaml_once_had_moves(wired: Path) -> None:
    moved = wired / "stages/code/dvc.yaml"
    body = moved.read_text().partition("stages:\n")[2].replace("    wdir: ../..\n", "")
    added = next(line for line in (wired / "dvc.yaml").read_text().splitlines(keepends=True) if "    vars:" in line)
    old = {"stages:\n": f"stages:\n{body}\n", added: ""}
    for now, before in old.items():
        edit(wired, "dvc.yaml", lambda text, now=now, before=before: text.replace(now, before, 1))
    moved.unlink()
    assert deviations(wired) == [
        "dvc.yaml: stages.check.vars",
        "dvc.yaml: stages.code",
        "stages/code/dvc.yaml is missing",
    ]
    renewal(wired).write()
    assert deviations(wired) == []
    assert (wired / "dvc.yaml").read_text() == (ROOT / "dvc.yaml").read_text()
    assert moved.read_text() == (ROOT / "stages/code/dvc.yaml").read_text()


def test_what_is_missing_of_the_wiring_is_written(wired: Path) -> None:
    before = texts(wired)
    (wired / "dvc.yaml").unlink()
    (wired / "stages/train.py").unlink()
    assert deviations(wired) == ["dvc.yaml is missing", "stages/train.py is missing"]
    renewal(wired).write()
    assert texts(wired) == before


def test_a_person_s_files_and_stages_stay(wired: Path, monkeypatch) -> None:
    pictures = wired / "pictures"
    pictures.mkdir()
    edit(wired, "dvc.yaml", lambda text: text.replace("pipelines] # and", "pipelines, pictures] # and"))
    edit(
        wired,
        "dvc.yaml",
        lambda text: text + "\n  mine:\n    cmd: echo ${seed}\n    deps:\n      - params.yaml # why\n",
    )
    assert deviations(wired) == []
    edit(wired, "dvc.yaml", lambda text: text.replace("      - runs/sources\n", ""))
    known = template.digest(paths.WIRING, (wired / "dvc.yaml").read_text())
    monkeypatch.setattr(template, "read_text", lambda file: known if file.suffix == ".txt" else file.read_text())
    renewal(wired).write()
    assert deviations(wired) == []
    assert wiring.stage(wired, "check").deps[-1] == "pictures"
    assert (
        (wired / "dvc.yaml")
        .read_text()
        .endswith("\n  mine:\n    cmd: echo ${seed}\n    deps:\n      - params.yaml # why\n")
    )
    assert "      - runs/sources\n" in (wired / "dvc.yaml").read_text()


def test_a_person_s_other_keys_stay(wired: Path) -> None:
    own = "vars:\n  - {mine: 1} # a comment\nplots:\n  - reports/curves: {y: [a]}\n"
    edit(wired, "dvc.yaml", lambda text: text.replace("stages:\n", f"{own}stages:\n", 1) + "\n\n")
    before = (wired / "dvc.yaml").read_text()
    renewal(wired).write()
    after = (wired / "dvc.yaml").read_text()
    assert yaml.safe_load(after) == yaml.safe_load(before)
    assert "  - {mine: 1} # a comment\n" in after
    assert deviations(wired) == []


def test_without_the_wiring_of_code_dvc_refuses(wired: Path) -> None:
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet", "--no-scm"], cwd=wired, check=True)
    shutil.rmtree(wired / "stages/code")
    done = subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=wired, capture_output=True, text=True)
    assert done.returncode != 0
    assert "'stages/code/dvc.yaml' does not exist" in done.stderr


def test_what_was_edited_is_shown_and_stays(wired: Path) -> None:
    edit(wired, "dvc.yaml", lambda text: text.replace("genpipe-stage report", "nice genpipe-stage report"))
    before = texts(wired)
    assert deviations(wired) == ["dvc.yaml: stages.report.cmd"]
    with pytest.raises(ExistsError, match=r"(?s)no genpipe has written it so.*-    cmd: nice genpipe-stage report"):
        renewal(wired)
    assert texts(wired) == before


def test_own_pictures_that_genpipe_data_add_watches_are_no_deviation(wired: Path) -> None:
    from PIL import Image

    for split in ("train", "test"):
        for label in "ab":
            (wired / "pictures" / split / label).mkdir(parents=True)
            for number in range(3):
                Image.new("L", (8, 8), number).save(wired / "pictures" / split / label / f"{number}.png")
    knobs = {"source": "folder", "path": "pictures", "image_size": 8, "extractors": ["pixels"]}
    carry_out(wired, lambda project: plan_data(project, "mine", knobs))
    assert "pictures" in wiring.stage(wired, "check").deps
    assert deviations(wired) == []
    assert renewal(wired).changes == []


def test_what_this_edition_ships_is_known() -> None:
    for file, text in template.wiring().items():
        line = f"{template.digest(file, text)}  {file}"
        assert template.unedited(file, text), (
            f"add to genpipe/project/starter/shipped.txt, leaving what is there: {line}"
        )


def test_the_format_is_said_and_a_newer_one_refused(wired: Path) -> None:
    assert (ROOT / "dvc.yaml").read_text().startswith(f"# genpipe's wiring, format {wiring.FORMAT}: ")
    edit(wired, "dvc.yaml", lambda text: text.replace(f"format {wiring.FORMAT}:", f"format {wiring.FORMAT + 1}:"))
    with pytest.raises(ConfigError, match="newer genpipe"):
        wiring.load(wired)
    with pytest.raises(ConfigError, match="newer genpipe"):
        renewal(wired)


def test_experiments_are_added_to_a_new_project(wired: Path) -> None:
    carry_out(wired, lambda project: plan(project, ExperimentRequest("second", "ae", data="digits", profile="smoke")))
    assert list(Project(wired).index.experiments) == ["first", "second"]
