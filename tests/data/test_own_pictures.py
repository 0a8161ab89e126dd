"""Folders and archives of a person's own pictures."""

import bz2
import gzip
import io
import json
import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genpipe import files
from genpipe.dataset import picture_archives
from genpipe.dataset.archives import Link, members
from genpipe.dataset.preparing import prepare
from genpipe.errors import DataError

Source = Callable[..., Any]
Picture = Callable[..., bytes]


def tar_of(path: Path, files: dict[str, bytes], mode: str = "w", form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, mode, format=form) as packed:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return path


def zip_of(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return path


def prepared_digest(source: Any, folder: Path, **knobs: Any) -> str:
    return prepare(source, image_size=8, resize_mode="crop", seed=0, folder=folder, **knobs).sha256


# --- folders and archives hold the same -------------------------------------------------------------------------------


def test_a_folder_is_read_with_its_labels(class_folders: Path, source: Source, tmp_path: Path) -> None:
    found = source("folder", path="pictures", test_images=8)
    assert (found.classes, found.channels) == (("a", "b"), 3)
    prepared = prepare(found, image_size=8, resize_mode="crop", seed=0, folder=tmp_path / "out")
    assert [len(prepared.images(s)) for s in ("train", "test")] == [16, 8]
    assert np.bincount(prepared.labels("test")).tolist() == [4, 4]
    original = {
        (tuple(np.asarray(_open(f)).transpose(2, 0, 1).ravel()), "ab".index(f.parent.name))
        for f in class_folders.rglob("*.png")
    }
    got = {
        (tuple(image.ravel()), label)
        for s in ("train", "test")
        for image, label in zip(prepared.images(s), prepared.labels(s).tolist(), strict=True)
    }
    assert got == original


def _open(path: Path) -> Any:
    from PIL import Image

    return Image.open(path)


PACKERS = {"plain": lambda b: b, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("packed", [*PACKERS, "zip", "xz in two streams"])
def test_an_archive_gives_what_its_folder_gives(
    packed: str, class_folders: Path, source: Source, tmp_path: Path
) -> None:
    files = {str(f.relative_to(tmp_path)): f.read_bytes() for f in sorted(class_folders.rglob("*.*"))}
    if packed == "zip":
        path = zip_of(tmp_path / "x.zip", files)
    else:
        path = tar_of(tmp_path / "x.tar", files)
        raw = path.read_bytes()
        path.write_bytes(
            lzma.compress(raw[:9000]) + lzma.compress(raw[9000:]) if "two" in packed else PACKERS[packed](raw)
        )
    found = source("archive", path=str(path), test_images=8)
    assert found.classes == ("a", "b")
    expected = prepared_digest(source("folder", path="pictures", test_images=8), tmp_path / "folder")
    assert prepared_digest(found, tmp_path / "archive") == expected


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_foreign_names_in_every_tar_format(form: int, tmp_path: Path) -> None:
    names = ["k/" + "y" * 90 + ".png", "x" * 120 + "/" + "y" * 80 + ".png"]
    names += [] if form == tarfile.USTAR_FORMAT else ["ключ/" + "z" * 240 + ".png", "short.png"]
    path = tar_of(tmp_path / "x.tar", {name: name.encode() for name in names}, form=form)
    assert list(members(path, lambda name: True)) == [(name, name.encode()) for name in names]


def test_only_what_is_wanted_is_unpacked(tmp_path: Path, picture: Picture, source: Source, monkeypatch) -> None:
    path = zip_of(tmp_path / "x.zip", {f"{n}.png": picture(n) for n in range(30)})
    found = source("archive", path=str(path))
    collection = found.collection(0)
    opened = []
    monkeypatch.setattr(zipfile.ZipFile, "open", _counting(zipfile.ZipFile.open, opened))
    (chunk,) = collection.read(np.array([3, 17]))
    assert [name for name, _ in chunk.images] == ["3.png", "17.png"]
    assert len(opened) == 2


def _counting(function: Any, calls: list) -> Any:
    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        return function(*args, **kwargs)

    return counted


def test_labels_of_dataset_json(tmp_path: Path, picture: Picture, source: Source) -> None:
    names = [f"00000/img{n:08}.png" for n in range(6)]
    note = {"labels": [[name, n % 3] for n, name in enumerate(names)]}
    files = {name: picture(n) for n, name in enumerate(names)}
    path = zip_of(tmp_path / "x.zip", {**files, "dataset.json": json.dumps(note).encode()})
    found = source("archive", path=str(path), test_images=3)
    assert found.classes == ("0", "1", "2")
    assert found.collection(0).labels.tolist() == [0, 1, 2, 0, 1, 2]
    for name, content in {**files, "dataset.json": json.dumps(note).encode()}.items():
        (tmp_path / "same" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "same" / name).write_bytes(content)
    assert source("folder", path="same").collection(0).labels.tolist() == [0, 1, 2, 0, 1, 2]
    none = zip_of(tmp_path / "y.zip", {**files, "dataset.json": b'{"labels": null}'})
    assert source("archive", path=str(none)).classes == ()


@pytest.mark.parametrize(
    ("note", "message"),
    [
        (b"{", "dataset.json cannot be read"),
        (b'{"labels": [["0.png", 1.5]]}', "not a whole number"),
        (b'{"labels": [["0.png", 0]]}', r"no label for 1\.png"),
        (b"[" * 100_000, "dataset.json cannot be read"),
    ],
)
def test_a_dataset_json_that_is_none(note: bytes, message: str, tmp_path: Path, picture: Picture, source: Source):
    path = zip_of(tmp_path / "x.zip", {"0.png": picture(0), "1.png": picture(1), "dataset.json": note})
    with pytest.raises(DataError, match=message):
        _ = source("archive", path=str(path)).classes


def test_a_listing_is_remembered_until_the_archive_changes(
    tmp_path: Path, picture: Picture, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zip_of(tmp_path / "x.zip", {"a/1.png": picture(1), "b/2.png": picture(2)})
    scans: list = []
    monkeypatch.setattr(picture_archives, "members", _counting(members, scans))
    for _ in range(2):
        assert source("archive", path=str(path)).classes == ("a", "b")
    assert len(scans) == 1
    zip_of(path, {"a/1.png": picture(1), "c/2.png": picture(2)})
    os.utime(path, ns=(1, 1))
    assert source("archive", path=str(path)).classes == ("a", "c")


# --- what is broken ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_a_broken_picture_is_named_or_left_out_and_counted(
    kind: str, class_folders: Path, source: Source, tmp_path: Path
) -> None:
    (class_folders / "a" / "05.png").write_bytes(b"\x89PNG no more")
    path = "pictures"
    if kind == "archive":
        path = shutil.make_archive(str(tmp_path / "x"), "zip", class_folders)
    found = source(kind, path=path, test_images=8)
    with pytest.raises(DataError, match=r"a/05\.png: .*skip_broken: true"):
        prepare(found, image_size=8, resize_mode="crop", seed=0, folder=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    prepared = prepare(found, image_size=8, resize_mode="crop", seed=0, folder=tmp_path / "out", skip_broken=True)
    counts = [len(prepared.images(s)) for s in ("train", "test")]
    assert (sum(counts), prepared.broken_images) == (23, 1)
    assert counts == [len(prepared.labels(s)) for s in ("train", "test")]
    assert "a/05.png" in (tmp_path / "out" / "meta.json").read_text()


def test_a_member_that_is_damaged_inside_a_zip_is_a_broken_picture(tmp_path: Path, picture: Picture, source: Source):
    path = zip_of(tmp_path / "x.zip", {f"{n}.png": picture(n, 32) for n in range(12)})
    content = bytearray(path.read_bytes())
    at = content.index(b"7.png") + 400
    content[at : at + 50] = b"\0" * 50
    path.write_bytes(content)
    prepared = prepare(
        source("archive", path=str(path)),
        image_size=8,
        resize_mode="crop",
        seed=0,
        folder=tmp_path / "o",
        skip_broken=True,
    )
    assert prepared.broken_images == 1


def test_what_is_not_there_or_empty(tmp_path: Path, source: Source) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.zip").write_bytes(b"this is no archive" * 100)
    for kind, path, message in (
        ("folder", "empty", "holds no pictures"),
        ("folder", "nowhere", "is no folder"),
        ("archive", "nowhere.zip", "cannot be read: No such file"),
        ("archive", "x.zip", "no zip and no tar"),
    ):
        with pytest.raises(DataError, match=message):
            _ = source(kind, path=path).classes


# --- what is meant to do harm -----------------------------------------------------------------------------------------

OUTSIDE = ["../out.png", "/tmp/out.png", "a/../../out.png", "C:/out.png", "a\\..\\out.png"]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_lead_outside_are_refused(kind: str, name: str, tmp_path: Path, picture: Picture) -> None:
    make = zip_of if kind == "zip" else tar_of
    path = make(tmp_path / "in" / "x", {"fine.png": picture(0), name: picture(1)}) if _made(tmp_path / "in") else None
    with pytest.raises(DataError, match="points outside of the archive: refused"):
        list(members(path, lambda name: True))
    assert [f.name for f in tmp_path.rglob("*") if f.is_file()] == ["x"]


def _made(folder: Path) -> bool:
    folder.mkdir()
    return True


def test_links_are_not_followed(tmp_path: Path, picture: Picture, source: Source) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture(1))
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "link.png").symlink_to(secret)
    (folder / "inside").symlink_to(tmp_path)
    with pytest.raises(DataError, match=r"holds no pictures.*Skipped: links \(2\); links are not followed"):
        _ = source("folder", path="pictures").classes
    with tarfile.open(tmp_path / "x.tar", "w") as packed:
        info = tarfile.TarInfo("soft.png")
        info.type, info.linkname = tarfile.SYMTYPE, str(secret)
        packed.addfile(info)
    assert list(members(tmp_path / "x.tar", lambda name: True)) == [("soft.png", Link(None))]
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as zipped:
        info_of_link = zipfile.ZipInfo("link.png")
        info_of_link.external_attr = (stat.S_IFLNK | 0o777) << 16
        zipped.writestr(info_of_link, str(secret))
    assert list(members(tmp_path / "x.zip", lambda name: True)) == [("link.png", Link(None))]
    for path in ("x.tar", "x.zip"):
        with pytest.raises(DataError, match=r"holds no pictures.*Skipped: links \(1\); links are not followed"):
            _ = source("archive", path=path).classes


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FREE_BYTES", 2**20)
    monkeypatch.setattr(files, "MAX_RATIO", 100)
    path = zip_of(tmp_path / "x.zip", {f"{n}.png": bytes(2**20) for n in range(8)})
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("unpacked"))
    with pytest.raises(DataError, match="out of proportion to its size: refused"):
        list(members(path, lambda name: True))


@pytest.mark.parametrize("packed", ["gz", "bz2", "xz"])
def test_a_tar_bomb_is_refused_while_it_is_unpacked(packed: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(files, "MAX_FREE_BYTES", 2**20)
    monkeypatch.setattr(files, "MAX_RATIO", 10)
    raw = tar_of(tmp_path / "x.tar", {f"{n}.bin": bytes(2**20) for n in range(8)}).read_bytes()
    (tmp_path / "x.tar").write_bytes(PACKERS[packed](raw))
    with pytest.raises(DataError, match="out of proportion to its size: refused"):
        list(members(tmp_path / "x.tar", lambda name: False))


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_one_enormous_file_is_refused(make: Any, tmp_path: Path) -> None:
    path = make(tmp_path / "x", {"a.png": bytes(2**26 + 1)})
    with pytest.raises(DataError, match=r"a\.png unpacks to 67,108,865 bytes; at most 67,108,864"):
        list(members(path, lambda name: True))
    assert list(members(path, lambda name: False)) == [("a.png", None)]


def test_a_zip_that_lies_about_a_size_gives_no_more_than_it_said(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "x.zip", {"a.png": bytes(2**20)})
    content = path.read_bytes().replace(struct.pack("<I", 2**20), struct.pack("<I", 50))
    path.write_bytes(content)
    ((_, unpacked),) = members(path, lambda name: True)
    assert len(unpacked or b"") <= 50


def test_an_xz_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 2**29}]
    raw = tar_of(tmp_path / "x.tar", {"a.png": b"x"}).read_bytes()
    (tmp_path / "x.tar").write_bytes(_with_dictionary(lzma.compress(raw, filters=[{**filters[0], "dict_size": 2**20}])))
    with pytest.raises(DataError, match=r"cannot be read as a zip or a tar.*[Mm]emory"):
        list(members(tmp_path / "x.tar", lambda name: True))


def _with_dictionary(packed: bytes) -> bytes:
    """The block header of an xz, rewritten to ask for the largest dictionary there is."""
    import zlib

    size = (packed[12] + 1) * 4
    header = bytearray(packed[12 : 12 + size - 4])
    header[header.index(b"\x21\x01") + 2] = 40
    return packed[:12] + bytes(header) + struct.pack("<I", zlib.crc32(header)) + packed[12 + size :]


@pytest.mark.parametrize("cut", [700, 1024, 3000])
@pytest.mark.parametrize("packed", ["plain", "gz", "xz"])
def test_a_download_cut_short_is_said_to_be_so(packed: str, cut: int, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).bytes(6000)
    raw = PACKERS[packed](tar_of(tmp_path / "x.tar", {"a.png": noise}).read_bytes())
    (tmp_path / "x.tar").write_bytes(raw[:cut])
    with pytest.raises(DataError, match=r"cut short|cannot be read|is damaged"):
        list(members(tmp_path / "x.tar", lambda name: True))


def test_garbage_never_ends_in_anything_but_a_data_error(tmp_path: Path, picture: Picture) -> None:
    rng = np.random.default_rng(0)
    originals = [
        make(tmp_path / "x", {f"{n}.png": picture(n) for n in range(4)}).read_bytes() for make in (zip_of, tar_of)
    ]
    originals += [PACKERS[p](originals[1]) for p in ("gz", "bz2", "xz")]
    refused = 0
    for content in originals * 40:
        spoilt = bytearray(content)
        for place in rng.integers(0, len(spoilt), 6):
            spoilt[place] = rng.integers(256)
        (tmp_path / "y").write_bytes(spoilt)
        try:
            list(members(tmp_path / "y", lambda name: True))
        except DataError:
            refused += 1
    assert refused > 50


# --- the real thing ---------------------------------------------------------------------------------------------------


def test_the_faces_of_orl(real_data: Callable[[str], Path], source: Source, tmp_path: Path) -> None:
    found = source("archive", path=str(real_data("orl-faces.zip")), test_images=40)
    assert (len(found.classes), found.channels) == (40, 1)
    prepared = prepare(found, image_size=32, resize_mode="crop", seed=0, folder=tmp_path / "o")
    assert prepared.images("train").shape == (360, 1, 32, 32)
    assert np.bincount(prepared.labels("test")).tolist() == [1] * 40


def test_cifar10_as_pictures(real_data: Callable[[str], Path], source: Source, tmp_path: Path) -> None:
    found = source("archive", path=str(real_data("cifar10-jpeg.tar.xz")))
    assert found.classes[:3] == ("airplane", "automobile", "bird")
    collection = found.collection(0)
    assert np.bincount(collection.splits).tolist() == [50_000, 10_000]
    prepared = prepare(found, image_size=32, resize_mode="crop", seed=0, folder=tmp_path / "o", max_images=200)
    assert prepared.images("test").shape == (200, 3, 32, 32)
    assert prepared.images("train").std() > 40
