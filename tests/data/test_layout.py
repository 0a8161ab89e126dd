"""What the names of picture files say: which are pictures, which class, which split."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genpipe.dataset.layout import ending, is_picture, layout
from genpipe.dataset.preparing import prepare
from genpipe.errors import DataError

Source = Callable[..., Any]


def test_classes_are_the_sorted_folders() -> None:
    found = layout(["b/1.png", "a/x/2.png", "c/3.png"], None, True, "x")
    assert found.classes == ("a", "b", "c")
    assert found.labels is not None
    assert found.labels.tolist() == [1, 0, 2]
    assert found.splits is None


def test_a_folder_around_everything_says_nothing_and_a_flat_one_has_no_classes() -> None:
    assert layout(["top/b/1.png", "top/a/2.png"], None, True, "x").classes == ("a", "b")
    assert layout(["top/1.png", "top/2.png"], None, True, "x").labels is None
    assert layout(["b/1.png", "a/2.png"], None, False, "x").classes == ()


@pytest.mark.parametrize(
    ("folders", "parts", "names", "unused"),
    [
        (["train", "test"], [0, 1], ("train", "test"), {}),
        (["Train", "val"], [0, 1], ("Train", "val"), {}),
        (["training", "validation"], [0, 1], ("training", "validation"), {}),
        (["train", "val", "test"], [0, -1, 1], ("train", "test"), {"val": 1}),
        (["train", "valid", "test", "unlabeled"], [0, -1, 1, -1], ("train", "test"), {"valid": 1, "unlabeled": 1}),
        (["train", "val", "unlabeled"], [0, 1, -1], ("train", "val"), {"unlabeled": 1}),
    ],
)
@pytest.mark.parametrize(("shape", "classes"), [("{}/cat/1.png", ("cat",)), ("data/{}/1.png", ())])
def test_folders_named_as_splits_are_the_splits(
    folders: list[str],
    parts: list[int],
    names: tuple[str, ...],
    unused: dict[str, int],
    shape: str,
    classes: tuple[str, ...],
) -> None:
    found = layout([shape.format(folder) for folder in folders], None, True, "x")
    assert found.splits is not None
    assert (found.splits.tolist(), found.split_names, found.unused_images) == (parts, names, unused)
    assert found.classes == classes


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        (["train", "bus"], "train at the top .* names of splits, but bus lies beside"),
        (["train", "test", "bus"], "test, train at the top .* but bus lies beside"),
        (["train", "unlabeled"], "no training and test split"),
        (["test", "val"], "no training and test split"),
        (["unlabeled", "cat", "dog"], "unlabeled at the top .* but cat lies beside"),
        (["train", "test", ""], "a picture lies beside"),
    ],
)
def test_folders_of_which_some_are_splits_are_refused_unless_all_are_classes(folders: list[str], said: str) -> None:
    names = [f"{folder}/1.png".lstrip("/") for folder in folders]
    with pytest.raises(DataError, match=f"{said}.*splits: false"):
        layout(names, None, True, "x")
    if "" not in folders:
        assert layout(names, None, True, "x", splits=False).classes == tuple(sorted(folders))


def test_pictures_beside_class_folders_have_no_class() -> None:
    with pytest.raises(DataError, match=r"loose\.png lies beside the class folders a, b.*labels: false"):
        layout(["a/1.png", "loose.png", "b/1.png"], None, True, "x")


def test_what_is_left_out_needs_no_class() -> None:
    names = ["train/a/1.png", "train/b/2.png", "test/a/3.png", "unlabeled/4.png", "unlabeled/x/5.png"]
    found = layout(names, None, True, "x")
    assert found.classes == ("a", "b")
    assert found.labels.tolist() == [0, 1, 0, -1, -1]
    assert layout(names, dict.fromkeys(names[:3], 1), True, "x").labels.tolist() == [1, 1, 1, -1, -1]


def test_what_is_a_picture() -> None:
    assert all(map(is_picture, ["a.png", "./x/A.JPEG", "x.y/z.webp", "a.jfif", "a.JPE", "a.tif", "a.tiff", "a.apng"]))
    assert not any(map(is_picture, ["a.txt", ".a.png", "x/.b/c.png", "__MACOSX/._a.png", "png", "x/._a.jpg", "a.jp"]))


def test_what_is_skipped_is_known_by_its_ending() -> None:
    assert [ending(name) for name in ("a/b.HEIC", "a.b/c", "x.txt")] == [".heic", "no ending", ".txt"]
    assert not any(map(ending, ["a.png", "x/.DS_Store", "__MACOSX/a.txt", "x/dataset.json"]))


@pytest.fixture
def with_splits(tmp_path: Path, picture: Any) -> Path:
    """Pictures of two classes in folders train, val, test and unlabeled."""
    for number, split in enumerate(["train"] * 6 + ["test"] * 4 + ["val"] * 4 + ["unlabeled"] * 8):
        path = tmp_path / "x" / split / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number, 8, 1 if number == 21 else 3))
    return tmp_path / "x"


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_splits_of_files_are_prepared_and_the_others_noted(
    kind: str, with_splits: Path, source: Source, tmp_path: Path
) -> None:
    path = "x" if kind == "folder" else shutil.make_archive(str(tmp_path / "x"), "tar", with_splits)
    found = source(kind, path=path)
    assert found.classes == ("a", "b")
    assert found.channels == 3, "a gray picture among those that are left out counts for nothing"
    prepared = prepare(found, image_size=8, resize_mode="crop", seed=0, folder=tmp_path / "out")
    assert [len(prepared.images(split)) for split in ("train", "test")] == [6, 4]
    assert prepared.unused_images == {"val": 4, "unlabeled": 8}
    meta = json.loads((tmp_path / "out" / "meta.json").read_text())
    assert meta["unused_images"] == {"val": 4, "unlabeled": 8}
    assert source(kind, path=path, splits=False).classes == ("test", "train", "unlabeled", "val")
    limited = prepare(
        found, image_size=8, resize_mode="crop", seed=0, folder=tmp_path / "few", max_images=2, exclude_classes=["b"]
    )
    assert [len(limited.images(split)) for split in ("train", "test")] == [2, 2]
    assert np.bincount(limited.labels("train")).tolist() == [2]
