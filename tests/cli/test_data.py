import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genpipe.config.document import read
from genpipe.config.project import Project
from tests._projects import CODE

Run = Callable[..., Any]


@pytest.fixture
def faces(small_project: Path) -> Path:
    """Twelve pictures of two classes in the folder "faces" of the project."""
    for number in range(12):
        path = small_project / "faces" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(path)
    return small_project / "faces"


def texts(root: Path) -> list[str]:
    return [(root / name).read_text() for name in ("params.yaml", "dvc.yaml")]


def changed(before: str, after: str) -> list[str]:
    return [line for line in after.splitlines() if line not in before.splitlines()]


def test_knobs_in_knobs_are_written_in_one_line(genpipe: Run, small_project: Path, faces: Path) -> None:
    for picture in faces.rglob("*.png"):
        mask = small_project / "maps" / picture.relative_to(faces)
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.eye(9, dtype=np.uint8) * np.uint8(255)).save(mask)
    params, wiring = texts(small_project)
    fields = "fields={hole: {path: maps, kind: mask, threshold: 128}}"
    knobs = ("--path", "faces", "--image-size", "32", "--set", fields, "--set", "derive={low_resolution: {factor: 2}}")
    done = genpipe("data", "add", "pairs", "--source", "paired_folders", *knobs)
    assert (done.status, done.err) == (0, "")
    (line,) = changed(params, (small_project / "params.yaml").read_text())
    assert line == (
        "    pairs: {source: paired_folders, path: faces, image_size: 32, resize_mode: crop, "
        "fields: {hole: {path: maps, kind: mask, threshold: 128}}, derive: {low_resolution: {factor: 2}}}"
    )
    (line,) = changed(wiring, (small_project / "dvc.yaml").read_text())
    assert line.strip().startswith("deps: [runs/code/check.json, params.yaml, pipelines, faces, maps] #")
    spec = Project(small_project).data("pairs").spec()
    assert {name: field.kind for name, field in spec.fields.items()} == {"hole": "mask", "low_resolution": "image"}
    wrong = genpipe(
        "data", "add", "p2", "--source", "paired_folders", *knobs[:4], "--set", fields.replace("kind", "knid")
    )
    assert wrong.status == 1
    assert "fields.hole.knid: unknown key. Did you mean 'kind'?" in wrong.err


def test_add_writes_one_line_of_each_file(genpipe: Run, small_project: Path, faces: Path) -> None:
    params, wiring = texts(small_project)
    options = (
        "--image-size",
        "32",
        "--channels",
        "1",
        "--max-images",
        "50",
        "--crop",
        "random",
        "--horizontal-flip",
        "--split",
        "4",
    )
    knobs = (*options, "--set", "skip_broken=true")
    done = genpipe("data", "add", "faces", "--source", "folder", "--path", "faces", *knobs)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("Wrote params.yaml and dvc.yaml.\nNext: genpipe data inspect faces")
    (line,) = changed(params, (small_project / "params.yaml").read_text())
    assert line == (
        "    faces: {source: folder, path: faces, image_size: 32, resize_mode: random_crop, channels: 1, "
        "max_images: 50, horizontal_flip: true, "
        "test_images: 4, skip_broken: true}"
    )
    (line,) = changed(wiring, (small_project / "dvc.yaml").read_text())
    assert line.strip().startswith("deps: [runs/code/check.json, params.yaml, pipelines, faces] #")
    spec = Project(small_project).data("faces").spec()
    assert (spec.shape, spec.classes) == ((1, 32, 32), ("a", "b"))
    assert genpipe("check").out == "1 experiment is fine\n"


def test_data_can_be_made_of_two_levels_and_is_shown_so(genpipe: Run, small_project: Path) -> None:
    done = genpipe(
        "data", "add", "two", "--source", "digits", "--image-size", "8", "--binarize", "sampled", "--max-images", "30"
    )
    assert (done.status, done.err) == (0, "")
    assert "binarize: sampled}" in (small_project / "params.yaml").read_text()
    assert Project(small_project).data("two").spec().levels == 2
    genpipe("data", "inspect", "two", "-o", "sheet.png")
    assert set(np.unique(Image.open(small_project / "sheet.png"))) == {0, 128, 255}, "128 is the gap of the sheet"


def test_data_without_labels_is_looked_at_by_its_pixels(genpipe: Run, small_project: Path, faces: Path) -> None:
    options = ("--source", "folder", "--path", "faces", "--image-size", "32", "--set", "labels=false")
    done = genpipe("data", "add", "faces", *options)
    assert "scores use the pixels" in done.out
    assert 'extractors: ["pixels"]}' in (small_project / "params.yaml").read_text()
    assert list(Project(small_project).extractors("faces")) == ["pixels"]
    assert genpipe("check").out == "1 experiment is fine\n"
    assert "nothing changed" in genpipe("data", "add", "faces", *options).out


def test_a_source_without_files_changes_the_index_alone(genpipe: Run, small_project: Path) -> None:
    wiring = (small_project / "dvc.yaml").read_text()
    done = genpipe("data", "add", "s", "--source", "shapes", "--crop", "none", "--set", "images=40", "--json")
    assert json.loads(done.out) == {
        "data": "s",
        "knobs": {"source": "shapes", "image_size": 64, "resize_mode": "pad", "images": 40},
        "files": ["params.yaml"],
    }
    assert (small_project / "dvc.yaml").read_text() == wiring


def test_the_same_again_changes_nothing_and_another_needs_force(genpipe: Run, small_project: Path, faces: Path) -> None:
    words = ("data", "add", "f", "--source", "folder", "--path", "faces")
    genpipe(*words)
    before = texts(small_project)
    assert "nothing changed" in genpipe(*words).out
    assert texts(small_project) == before
    done = genpipe(*words, "--image-size", "16")
    assert (done.status, "datasets.f of params.yaml would be overwritten" in done.err) == (1, True)
    assert texts(small_project) == before
    assert genpipe(*words, "--image-size", "16", "--force").status == 0


def test_a_path_in_the_project_is_stored_as_its_own_and_found_from_any_folder(
    genpipe: Run, small_project: Path, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = shutil.copytree(faces, small_project.parent / f"{small_project.name}-outside")
    monkeypatch.setenv("HOME", str(small_project.parent))
    beside, of_home = f"../{outside.name}", f"~/{outside.name}"
    given = {str(faces): "faces", "./faces/": "faces", f"~/{small_project.name}/faces": "faces"}
    given |= {beside: beside, str(outside): str(outside), of_home: of_home}
    for path, stored in given.items():
        assert genpipe("data", "add", "x", "--source", "folder", "--path", path, "--force").status == 0
        assert Project(small_project).index.datasets["x"]["path"] == stored
    monkeypatch.chdir(small_project / "pipelines")
    for path, stored in {"../faces": "faces", f"../{beside}": str(outside), str(outside): str(outside)}.items():
        assert genpipe("data", "add", "y", "--source", "folder", "--path", path, "--force").status == 0
        assert Project(small_project).index.datasets["y"]["path"] == stored
    assert "nobody-knows" in genpipe("data", "add", "z", "--source", "folder", "--path", "~nobody-knows/x").err


def test_what_is_replaced_or_removed_is_watched_no_more(genpipe: Run, small_project: Path, faces: Path) -> None:
    params = (small_project / "params.yaml").read_text()
    words = ("--source", "folder", "--image-size", "8", "--set", "extractors=[pixels]")
    genpipe("data", "add", "f", "--path", "faces", *words)
    genpipe("data", "add", "g", "--path", "faces", *words)
    genpipe("data", "add", "f", "--path", "faces/a", *words, "--force")
    assert deps(small_project) == ["runs/code/check.json", "params.yaml", "pipelines", "faces", "faces/a"]
    assert (
        genpipe("data", "remove", "g", "--force").out == "Removed the line of params.yaml and the line of dvc.yaml.\n"
    )
    assert deps(small_project) == ["runs/code/check.json", "params.yaml", "pipelines", "faces/a"]
    dry = genpipe("data", "remove", "f", "--force", "--dry-run")
    assert "-    f: {source: folder, path: faces/a, " in dry.out
    assert genpipe("data", "remove", "f", "--force").status == 0
    assert (small_project / "params.yaml").read_text() == params
    assert deps(small_project) == ["runs/code/check.json", "params.yaml", "pipelines"]
    assert faces.is_dir()


def deps(root: Path) -> list[str]:
    return list(read(root / "dvc.yaml").value["stages"]["check"]["deps"])


def test_a_data_set_is_removed_if_nothing_is_lost(genpipe: Run, small_project: Path) -> None:
    before = texts(small_project)
    done = genpipe("data", "remove", "mnist5k", "--force")
    assert (done.status, done.err) == (
        1,
        "error: vae would be without data. Remove them first: genpipe remove vae.\n",
    )
    assert "Did you mean 'mnist5k'" in genpipe("data", "remove", "mnist").err
    assert texts(small_project) == before
    genpipe("data", "add", "s", "--source", "shapes", "--image-size", "8", "--set", "images=40")
    assert "git does not hold it" in genpipe("data", "remove", "s").err
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "1"]):
        subprocess.run(["git", *words], cwd=small_project, check=True)
    made = small_project / "data" / "s" / "meta.json"
    made.parent.mkdir(parents=True)
    made.write_text("{}")
    assert "Left: data/s\nTo delete that: genpipe data remove s --outputs" in genpipe("data", "remove", "s").out
    assert genpipe("data", "remove", "s", "--outputs").out == "Removed data/s.\n"
    assert not made.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--source", "foldr", "--path", "faces"), "'foldr'. Did you mean 'folder'"),
        (("--source", "folder"), "path: the key is missing"),
        (("--source", "folder", "--path", "nowhere"), "nowhere is no folder"),
        (("--source", "cifar10", "--split", "5"), "test_images: unknown key"),
        (("--source", "shapes", "--set", "imagse=5"), "Did you mean 'images'"),
        (("--source", "shapes", "--set", "images"), "a path, '=' and a value are needed"),
    ],
)
def test_a_mistake_is_one_message_and_writes_nothing(
    genpipe: Run, small_project: Path, words: tuple[str, ...], message: str
) -> None:
    before = texts(small_project)
    done = genpipe("data", "add", "x", *words)
    assert done.status in (1, 2)
    assert message in done.err
    assert texts(small_project) == before
    assert genpipe("data", "add", "a/b", "--source", "shapes").status == 2


def test_files_that_dvc_does_not_watch_are_found_by_check(genpipe: Run, small_project: Path, faces: Path) -> None:
    params = small_project / "params.yaml"
    line = "    f: {source: folder, path: faces, image_size: 8}\n"
    params.write_text(params.read_text().replace("datasets:\n", f"datasets:\n{line}"))
    done = genpipe("check")
    assert done.status == 1
    assert "stages.check.deps: 'faces' of data set 'f' is missing" in done.err


def test_list_shows_what_there_is(genpipe: Run, faces: Path) -> None:
    genpipe("data", "add", "f", "--source", "folder", "--path", "faces")
    rows = json.loads(genpipe("data", "list", "--json").out)
    assert [(row["name"], row["source"], row["train"]) for row in rows] == [
        ("mnist5k", "mnist5k", None),
        ("f", "folder", None),
    ]
    assert genpipe("data", "list").out.split()[:4] == ["name", "source", "image_size", "resize_mode"]


def test_look_writes_a_sheet_and_never_over_another(genpipe: Run, small_project: Path, faces: Path) -> None:
    (faces / "a" / "0.png").write_bytes(b"broken")
    genpipe("data", "add", "f", "--source", "folder", "--path", "faces", "--image-size", "16", "--split", "4")
    done = genpipe("data", "inspect", "f")
    assert done.status == 0
    assert "sizes (height×width): 9×9 (11)" in done.out
    assert "broken: 1\n  a/0.png: not a picture" in done.out
    assert "set `skip_broken: true`" in done.out
    assert done.out.endswith("Wrote f.png.\n")
    with Image.open(small_project / "f.png") as sheet:
        assert sheet.size == (2 + 8 * 18, 2 + 2 * 18)
    again = genpipe("data", "inspect", "f")
    assert (again.status, "f.png exists" in again.err) == (1, True)
    seen = json.loads(genpipe("data", "inspect", "f", "--force", "--json").out)
    assert seen["classes"] == {"a": {"train": 4, "test": 2}, "b": {"train": 4, "test": 2}}
    assert seen["broken"][0]["image"] == "a/0.png"
    assert genpipe("data", "inspect", "ff").status == 1


def test_look_tells_splits_and_what_is_left_out(genpipe: Run, small_project: Path, faces: Path) -> None:
    shutil.copytree(faces, small_project / "x" / "train")
    for split in ("val", "unlabeled"):
        shutil.copytree(faces / "a", small_project / "x" / split / "a")
    (small_project / "x" / "train" / "notes.txt").write_text("x")
    (small_project / "x" / "link.png").symlink_to(faces / "a" / "0.png")
    genpipe("data", "add", "f", "--source", "folder", "--path", "x", "--image-size", "16")
    done = genpipe("data", "inspect", "f")
    assert "splits: train is train, test is val\nleft out, in neither train nor test: unlabeled (6)\n" in done.out
    assert "skipped, not pictures: links (1), .txt (1)\n" in done.out
    seen = json.loads(genpipe("data", "inspect", "f", "--force", "--json").out)
    assert seen["classes"] == {"a": {"train": 6, "test": 6}, "b": {"train": 6, "test": 0}}
    assert (seen["split_folders"], seen["unused_images"]) == (["train", "val"], {"unlabeled": 6})
    assert seen["skipped_files"] == {"links": 1, ".txt": 1}


def test_gray_and_color_pictures_want_channels(genpipe: Run, small_project: Path, faces: Path) -> None:
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(faces / "a" / "99.png")
    words = ("data", "add", "f", "--source", "folder", "--path", "faces")
    done = genpipe(*words)
    assert (done.status, "1 of the pictures are gray (such as a/99.png) and 12 in color" in done.err) == (1, True)
    assert genpipe(*words, "--channels", "3").status == 0
    assert Project(small_project).data("f").spec().channels == 3


@pytest.mark.graph
def test_dvc_notices_a_change_of_a_folder_and_nothing_else(genpipe: Run, small_project: Path, faces: Path) -> None:
    (small_project / ".dvc").mkdir()
    (small_project / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (small_project / "genpipe").symlink_to(Path(__file__).parents[2] / "genpipe")
    genpipe("data", "add", "f", "--source", "folder", "--path", "faces", "--image-size", "16")
    targets = ("prepare@f", "prepare@mnist5k")
    assert sorted(ran(small_project, targets)) == ["check", *sorted(targets)]
    assert ran(small_project, targets) == []
    (faces / "a" / "0.png").write_bytes((faces / "a" / "2.png").read_bytes())
    assert ran(small_project, targets) == ["check", "prepare@f"]
    assert read(small_project / "runs/sources/f.json").value["classes"] == ["a", "b"]


def ran(root: Path, targets: tuple[str, ...]) -> list[str]:
    """The stages that `dvc repro` has run, besides `code`, which always runs."""
    done = subprocess.run([sys.executable, "-m", "dvc", "repro", *targets], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")]
    return [stage for stage in found if stage != CODE]
