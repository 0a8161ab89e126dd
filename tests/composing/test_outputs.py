"""What a person has put where a stage writes is not lost."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genpipe import registry
from genpipe.composing import Wish, plan, plan_data, problems, removal, renaming
from genpipe.config import Project
from genpipe.data._preparing import prepare
from genpipe.errors import ConfigError, ExistsError
from genpipe.outputs import foreign, of_data, of_experiment, of_project

ROOT = Path(__file__).parents[2]
OF_DATA = ["data/new/a.png", "data/new/b/c.png", "data/new/images.npy", "runs/reference/new/a.png"]
OF_DATA += ["runs/reference/new/mine/a.npy", "reports/reference/new.json", "runs/timings/prepare/new.json/a.png"]
OF_EXPERIMENT = ["runs/new/model/weights.pt", "runs/new/samples/a.png", "runs/new/snapshots/images.npy"]
OF_EXPERIMENT += ["runs/new/evidence/a.npy", "reports/figures/new/holiday.png", "reports/figures/new/a/walk.png"]
OF_EXPERIMENT += [f"reports/{kind}/new.json" for kind in ("scores", "metrics")]
OF_EXPERIMENT += [f"reports/{kind}/new.csv" for kind in ("curves", "score_curves")]


def put(root: Path, name: str) -> Path:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("mine")
    return file


@pytest.mark.parametrize("name", OF_DATA)
def test_a_data_set_is_not_added_over_files_of_a_person(small_project: Path, name: str) -> None:
    put(small_project, name)
    with pytest.raises(ExistsError, match=f"{name} would be deleted"):
        plan_data(Project(small_project), "new", {"source": "shapes", "size": 8}, force=True)


@pytest.mark.parametrize("name", OF_EXPERIMENT)
def test_an_experiment_is_not_made_over_files_of_a_person(small_project: Path, name: str) -> None:
    put(small_project, name)
    with pytest.raises(ExistsError, match=f"{name} would be deleted"):
        plan(Project(small_project), Wish("new", "pca"), force=True)
    with pytest.raises(ExistsError, match=f"{name} would be deleted"):
        renaming(Project(small_project), "vae", "new")


@pytest.mark.parametrize("name", [*OF_DATA, *OF_EXPERIMENT, "reports/index.html", "reports/README.md"])
def test_check_finds_them_when_yaml_was_edited_by_hand(small_project: Path, name: str) -> None:
    index = small_project / "params.yaml"
    text = index.read_text().replace("datasets:\n", "datasets:\n    new: {source: shapes, size: 32}\n")
    index.write_text(text.replace("# the first\n", "# the first\n    new: {model: vae, data: new}\n"))
    shutil.copy(small_project / "pipelines" / "vae.yaml", small_project / "pipelines" / "new.yaml")
    assert problems(small_project) == []
    put(small_project, name)
    (found,) = map(str, problems(small_project))
    assert found.startswith(f"{name}: lies where a stage writes")


@pytest.mark.parametrize("path", ["data/new", "data/new/below", "runs", "data", ".", "alias"])
def test_a_person_s_files_do_not_lie_where_a_stage_writes(small_project: Path, path: str) -> None:
    (small_project / "alias").symlink_to("data/new")
    for name in (f"{folder}/{number}.png" for folder in ("data/new/below", "runs") for number in range(12)):
        Image.new("L", (8, 8)).save(put(small_project, name))
    knobs = {"source": "folder", "path": path, "size": 8, "labels": False, "extractors": ["pixels"]}
    with pytest.raises(ConfigError, match=rf"datasets\.new\.path: '{path}' overlaps with "):
        plan_data(Project(small_project), "new", knobs)
    line = f"    new: {{source: folder, path: {path}, size: 8, labels: false, extractors: [pixels]}}\n"
    index = small_project / "params.yaml"
    index.write_text(index.read_text().replace("datasets:\n", f"datasets:\n{line}"))
    assert any("overlaps with" in str(problem) for problem in problems(small_project))


def test_what_stages_have_committed_is_theirs_in_a_clone_without_a_lock(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "reports", tmp_path / "reports")
    experiments = [file.stem for file in (ROOT / "pipelines").glob("*.yaml")]
    assert len(list((tmp_path / "reports" / "figures").rglob("*.png"))) > 20
    assert list(foreign(tmp_path, of_project(["mnist5k"], experiments))) == []


def test_prepared_data_and_what_a_killed_stage_leaves_are_no_person_s(tmp_path: Path) -> None:
    digits = registry.load("data", "digits")
    prepare(digits(digits.Config(), tmp_path), size=8, fit="crop", seed=0, folder=tmp_path / "data" / "new")
    for name in ("data/new/.x.npy.0123abcd.tmp", "runs/reference/new/pixels/.train.0123abcd.tmp/features.npy"):
        put(tmp_path, name)
    put(tmp_path, "data/new/.DS_Store")
    (tmp_path / "runs" / "reference" / "new" / "empty").mkdir()
    assert list(foreign(tmp_path, of_data("new"))) == []
    put(tmp_path, "data/new/.x.tmp")
    assert list(foreign(tmp_path, of_data("new"))) == [[Path("data/new/.x.tmp")]]


def test_what_dvc_knows_needs_no_mark(tmp_path: Path) -> None:
    np.save(put(tmp_path, "runs/new/snapshots/images.npy"), np.zeros(1))
    put(tmp_path, "reports/scores/new.json")
    assert len(list(foreign(tmp_path, of_experiment("new")))) == 2
    known = ("runs/new/snapshots", "reports/scores/new.json")
    outs = "".join(f"    - path: {name}\n      hash: md5\n" for name in known)
    (tmp_path / "dvc.lock").write_text(f"stages:\n  train@new:\n    outs:\n{outs}")
    assert list(foreign(tmp_path, of_experiment("new"))) == []
    put(tmp_path, "runs/new/snapshots/a.png")
    assert list(foreign(tmp_path, of_experiment("new"))) == [[Path("runs/new/snapshots/a.png")]]


def test_outputs_with_files_of_a_person_are_deleted_by_force_alone(small_project: Path) -> None:
    mine = put(small_project, "runs/vae/model/notes.txt")
    project = Project(small_project)
    (small_project / "pipelines" / "vae.yaml").unlink()
    removal(project, "vae").verify()
    with pytest.raises(ExistsError, match=r"notes\.txt would be deleted.*--force"):
        removal(project, "vae", outputs=True)
    removal(project, "vae", outputs=True, force=True).write()
    assert not mine.exists()
