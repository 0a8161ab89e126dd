"""Folders and archives follow the same rules: labels wherever they lie, and no picture left out unsaid."""

import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genpipe.dataset.decoding import colored
from genpipe.dataset.preparing import prepare
from genpipe.errors import DataError
from tests.data.test_own_pictures import PACKERS, Picture, tar_of, zip_of

Build = Callable[..., Any]
NOTE = json.dumps({"labels": [[f"{n}.png", n % 2] for n in range(10)]}).encode()


def put(tmp_path: Path, kind: str, files: dict[str, bytes]) -> dict[str, str]:
    """The files in a folder, a zip or a tar, as the knobs of the source that reads them."""
    for name, content in files.items() if kind == "folder" else ():
        (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "x" / name).write_bytes(content)
    if kind != "folder":
        {"zip": zip_of, "tar": tar_of}[kind](tmp_path / "x", files)
    return {"name": "folder" if kind == "folder" else "archive", "path": "x"}


def read(source: Any) -> dict[str, bytes]:
    """The names and contents of all pictures, checked to come in the order in which they are listed."""
    collection = source.collection(0)
    chunks = collection.read(np.arange(len(collection.splits)))
    found = [(name, c if isinstance(c, bytes) else c.read_bytes()) for chunk in chunks for name, c in chunk.images]
    assert [name for name, _ in found] == list(collection.names)
    return dict(found)


# --- labels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
@pytest.mark.parametrize("below", ["", "faces/", "./", "a/b/"])
def test_labels_lie_beside_the_pictures_wherever_that_is(
    kind: str, below: str, tmp_path: Path, picture: Picture, source: Build
) -> None:
    files = {f"{below}{n}.png": picture(n) for n in range(10)}
    found = source(**put(tmp_path, kind, {**files, f"{below}dataset.json": NOTE}))
    assert found.classes == ("0", "1")
    assert found.collection(0).labels.tolist() == [0, 1] * 5


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
@pytest.mark.parametrize(
    ("notes", "message"),
    [
        ({"dataset.json": NOTE, "a/dataset.json": NOTE}, r"holds a/dataset\.json, dataset\.json, and one"),
        ({"dataset.json": b'{"labels": [["0.png", 0], ["1.png", 0], ["0.png", 1]]}'}, r"0\.png has two labels"),
        ({"dataset.json": b'{"labels": [["0.png", 0], ["./0.png", 0]]}'}, r"0\.png has two labels"),
        ({"dataset.json": b'{"labels": [["0.png", true]]}'}, "not a whole number"),
        ({"dataset.json": b'{"labels": [[0, 0]]}'}, "cannot be read"),
        ({"dataset.json": b'{"labels": 5}'}, "cannot be read"),
    ],
)
def test_labels_that_leave_something_open_are_refused_and_can_be_done_without(
    kind: str, notes: dict[str, bytes], message: str, tmp_path: Path, picture: Picture, source: Build
) -> None:
    where = put(tmp_path, kind, {"0.png": picture(0), "1.png": picture(1), **notes})
    with pytest.raises(DataError, match=rf"{message}.*labels: false"):
        _ = source(**where).classes
    assert source(**where, labels=False).classes == ()


def test_labels_that_are_only_a_link_are_refused(tmp_path: Path, picture: Picture, source: Build) -> None:
    put(tmp_path, "folder", {"0.png": picture(0), "labels.json": NOTE})
    (tmp_path / "x" / "dataset.json").symlink_to("labels.json")
    with tarfile.open(tmp_path / "y", "w") as packed:
        packed.add(tmp_path / "x", ".")
    for where in ({"name": "folder", "path": "x"}, {"name": "archive", "path": "y"}):
        with pytest.raises(DataError, match=r"dataset\.json is a link, and links are not followed.*labels: false"):
            _ = source(**where).classes


# --- hard links -------------------------------------------------------------------------------------------------------


@pytest.fixture
def hard_links(tmp_path: Path, picture: Picture) -> Path:
    """A folder of 30 pictures of three classes; those of one class are other names of files in the others."""
    for n in range(20):
        path = tmp_path / "x" / "ac"[n % 2] / f"{n:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(n))
    (tmp_path / "x" / "b").mkdir()
    for n in range(10):
        (tmp_path / "x" / "b" / f"{n:02}.png").hardlink_to(tmp_path / "x" / "ac"[n % 2] / f"{n:02}.png")
    return tmp_path / "x"


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("packed", PACKERS)
def test_hard_links_in_a_tar_are_pictures(packed: str, form: int, hard_links: Path, tmp_path: Path, source: Build):
    with tarfile.open(tmp_path / "y", "w", format=form) as tar:
        tar.add(hard_links, "top")
    raw = (tmp_path / "y").read_bytes()
    (tmp_path / "y").write_bytes(PACKERS[packed](raw))
    archive, folder = source("archive", path="y"), source("folder", path="x")
    assert archive.classes == folder.classes == ("a", "b", "c")
    assert read(archive) == {f"top/{name}": content for name, content in read(folder).items()}
    labels = dict(zip(archive.listing.names, archive.collection(0).labels.tolist(), strict=True))
    assert all("abc"[label] == name.split("/")[1] for name, label in labels.items())
    prepared = prepare(source("archive", path="y"), image_size=8, resize_mode="crop", seed=0, folder=tmp_path / "out")
    assert sum(len(prepared.images(split)) for split in ("train", "test")) == 30


def test_only_the_wanted_of_several_names_comes(hard_links: Path, tmp_path: Path, source: Build) -> None:
    with tarfile.open(tmp_path / "y", "w") as tar:
        tar.add(hard_links, ".")
    collection = source("archive", path="y").collection(0)
    for rows in ([0], [1], [0, 1], [1, 5, 29], []):
        found = [name for chunk in collection.read(np.array(rows, np.int64)) for name, _ in chunk.images]
        assert found == [collection.names[row] for row in rows]


def linked(tmp_path: Path, *members: tuple[str, bytes, str, bytes]) -> str:
    """A tar of members: name, kind, target and content."""
    with tarfile.open(tmp_path / "y", "w") as tar:
        for name, kind, target, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, target, len(content)
            tar.addfile(info, io.BytesIO(content))
    return "y"


def test_a_hard_link_to_a_link_or_to_what_is_no_picture_by_its_name(
    tmp_path: Path, picture: Picture, source: Build
) -> None:
    content = picture(0)
    path = linked(
        tmp_path,
        ("./blob", b"0", "", content),
        ("b/1.png", b"1", "blob", b""),
        ("b/2.png", b"1", "./b/1.png", b""),
        ("soft.png", b"2", "blob", b""),
        ("b/3.png", b"1", "soft.png", b""),
    )
    found = source("archive", path=path)
    assert read(found) == {"b/1.png": content, "b/2.png": content}
    assert found.listing.skipped == {"links": 2, "no ending": 1}
    assert found.listing.colored == [colored(content)] * 2


@pytest.mark.parametrize("target", ["/etc/passwd", "../x.png", "late.png", "1.png"])
def test_a_hard_link_to_nothing_that_came_before_is_refused(
    target: str, tmp_path: Path, picture: Picture, source: Build
) -> None:
    path = linked(tmp_path, ("1.png", b"1", target, b""), ("late.png", b"0", "", picture(0)))
    with pytest.raises(DataError, match=rf"1\.png is a hard link to {target}, and no such file comes before it"):
        _ = source("archive", path=path).classes


@pytest.mark.parametrize("kind", [b"3", b"4", b"6", b"S", b"M", b"Z"])
def test_a_member_that_is_no_file_is_refused(kind: bytes, tmp_path: Path, picture: Picture, source: Build) -> None:
    path = linked(tmp_path, ("0.png", b"0", "", picture(0)), ("1.png", kind, "", b""))
    with pytest.raises(DataError, match=r"1\.png is no regular file"):
        _ = source("archive", path=path).classes


# --- twice, and cut short ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", ["a/1.png", "./a/1.png", "a//1.png"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_name_that_is_there_twice_is_refused(
    kind: str, again: str, tmp_path: Path, picture: Picture, source: Build
) -> None:
    put(tmp_path, kind, {"a/1.png": picture(0), "b/2.png": picture(1)})
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "x", "a") as packed, pytest.MonkeyPatch.context() as patch:
            patch.setattr("warnings.warn", lambda *_, **__: None)
            packed.writestr(again, picture(2))
    else:
        with tarfile.open(tmp_path / "x", "a") as tar:
            (info := tarfile.TarInfo(again)).size = len(picture(2))
            tar.addfile(info, io.BytesIO(picture(2)))
    with pytest.raises(DataError, match=r"a/1\.png is there twice"):
        _ = source("archive", path="x").classes


@pytest.mark.parametrize("packed", PACKERS)
def test_a_tar_that_ends_with_a_member_was_cut_short(packed: str, tmp_path: Path, picture: Picture, source: Build):
    raw = tar_of(tmp_path / "x", {f"{n}.png": picture(n) for n in range(4)}).read_bytes()
    for blocks, whole in ((2, False), (4, False), (8, False), (9, True), (10, True)):
        (tmp_path / "x").write_bytes(PACKERS[packed](raw[: 512 * blocks]))
        os.utime(tmp_path / "x", ns=(blocks, blocks))
        if whole:
            assert len(read(source("archive", path="x"))) == 4
        else:
            with pytest.raises(DataError, match="has no end: it was cut short"):
                _ = source("archive", path="x").classes


def test_tars_that_are_one_file_are_all_read(tmp_path: Path, picture: Picture, source: Build) -> None:
    raws = [tar_of(tmp_path / "x", {f"{n}.png": picture(n)}).read_bytes() for n in range(3)]
    (tmp_path / "x").write_bytes(b"".join(raws))
    assert list(read(source("archive", path="x"))) == ["0.png", "1.png", "2.png"]
    (tmp_path / "x").write_bytes(raws[0] + raws[1] + raws[2][: 512 * 2])
    with pytest.raises(DataError, match="has no end"):
        _ = source("archive", path="x").classes
