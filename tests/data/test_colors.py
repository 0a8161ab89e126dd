"""Grey and color: no picture loses its colors unasked."""

import shutil
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genpipe import paths
from genpipe.dataset import picture_folders
from genpipe.dataset.decoding import colored
from genpipe.dataset.preparing import prepare
from genpipe.errors import DataError

Source = Callable[..., Any]


@pytest.fixture
def mixed(tmp_path: Path, picture: Any) -> Path:
    """16 gray pictures, and after them 15 in color."""
    (tmp_path / "mixed").mkdir()
    for number in range(31):
        (tmp_path / "mixed" / f"{number:02}.png").write_bytes(picture(number, 8, 1 if number < 16 else 3))
    return tmp_path / "mixed"


@pytest.mark.parametrize("kind", ["folder", "tar", "zip"])
def test_both_kinds_are_refused_until_one_is_asked_for(kind: str, mixed: Path, source: Source, tmp_path: Path) -> None:
    path = str(mixed) if kind == "folder" else shutil.make_archive(str(tmp_path / "x"), kind, mixed)
    found = source("folder" if kind == "folder" else "archive", path=path)
    knobs = {"image_size": 8, "resize_mode": "crop", "seed": 0, "folder": tmp_path / "out"}
    said = r"16 of the pictures are gray \(such as \d+\.png\) and 15 in color \(such as \d+\.png\).*`channels: 1`.*"
    with pytest.raises(DataError, match=said + r"`channels: 3`.*--channels"):
        prepare(found, **knobs)
    assert not (tmp_path / "out").exists()
    assert prepare(found, **knobs, channels=1).spec.channels == 1
    images = prepare(found, **knobs, channels=3).images("train")
    assert {bool((image[0] == image[1]).all()) for image in images} == {True, False}


def test_what_cannot_be_read_is_of_neither_kind(mixed: Path, source: Source) -> None:
    for number in range(16):
        (mixed / f"{number:02}.png").write_bytes(b"broken")
    assert source("folder", path="mixed").channels == 3


def test_headers_are_read_once_until_a_picture_changes(
    mixed: Path, source: Source, picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Any] = []
    monkeypatch.setattr(picture_folders, "colored", lambda content: read.append(content) or colored(content))
    for _ in range(2):
        with pytest.raises(DataError, match="16 of the pictures are gray"):
            _ = source("folder", path="mixed").channels
    assert len(read) == 31
    for number in range(16):
        (mixed / f"{number:02}.png").write_bytes(picture(number))
    assert source("folder", path="mixed").channels == 3
    assert len(list((paths.cache() / "listings").iterdir())) == 1, "what was there before is not kept"


GRAY_PIXELS = np.full((4, 4), 77, np.uint8)
MODES = {"1": False, "L": False, "LA": False, "I;16": False, "P": True, "RGB": True, "RGBA": True}


@pytest.mark.parametrize(("mode", "expected"), MODES.items())
def test_the_mode_of_a_png_decides_not_its_pixels(mode: str, expected: bool, tmp_path: Path) -> None:
    image = Image.fromarray(GRAY_PIXELS.astype(np.uint16)) if mode == "I;16" else Image.fromarray(GRAY_PIXELS)
    file = BytesIO()
    (image if mode == "I;16" else image.convert(mode)).save(file, "PNG")
    (tmp_path / "x.png").write_bytes(file.getvalue())
    assert colored(file.getvalue()) is colored(tmp_path / "x.png") is expected


@pytest.mark.parametrize(
    ("kind", "mode", "expected"),
    [("JPEG", "L", False), ("JPEG", "RGB", True), ("JPEG", "CMYK", True), ("TIFF", "F", False), ("TIFF", "CMYK", True),
     ("BMP", "L", False), ("BMP", "RGB", True), ("WEBP", "RGB", True), ("PPM", "L", False), ("GIF", "P", True)],
)  # fmt: skip
def test_the_mode_of_other_kinds_decides(kind: str, mode: str, expected: bool) -> None:
    file = BytesIO()
    image = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).convert(mode)
    image.save(file, kind)
    assert colored(file.getvalue()) is expected


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"<html>"])
def test_a_header_that_cannot_be_read_says_nothing(content: bytes) -> None:
    assert colored(content) is None


def test_files_that_are_skipped_are_counted(mixed: Path, source: Source, tmp_path: Path) -> None:
    for name in ("a.heic", "b.HEIC", "notes.txt", ".hidden", "raw"):
        (mixed / name).write_bytes(b"x")
    (mixed / "link.png").symlink_to(mixed / "00.png")
    skipped = {".heic": 2, "links": 1, ".txt": 1, "no ending": 1}
    assert source("folder", path="mixed").collection(0).skipped_files == skipped
    (mixed / "another.png").symlink_to(mixed / "00.png")
    assert source("folder", path="mixed").collection(0).skipped_files == {**skipped, "links": 2}
    with tarfile.open(tmp_path / "x.tar", "w") as packed:
        packed.add(mixed, "x")
    assert source("archive", path="x.tar").collection(0).skipped_files == {**skipped, "links": 2}


class Table:
    """What the package datasets gives, as far as it is used."""

    def __init__(self, pictures: list[bytes]) -> None:
        self.rows = [{"image": {"bytes": content, "path": None}, "label": 0} for content in pictures]
        self.features = {"label": SimpleNamespace(names=["cat"])}
        self.cache_files: list[dict[str, str]] = []

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> Any:
        return self.rows[key] if isinstance(key, int) else [row[key] for row in self.rows]

    def select_columns(self, names: list[str]) -> "Table":
        return self

    def cast_column(self, name: str, kind: Any) -> "Table":
        return self


def hub(monkeypatch: pytest.MonkeyPatch, **splits: list[bytes]) -> None:
    tables = {split: Table(pictures) for split, pictures in splits.items()}
    found = SimpleNamespace(Image=lambda **knobs: knobs, load_dataset=lambda name, **_: tables)
    monkeypatch.setitem(__import__("sys").modules, "datasets", found)


def test_the_hub_has_both_kinds_too(source: Source, picture: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hub(monkeypatch, train=[picture(n, 8, 1) for n in range(16)], test=[picture(n) for n in range(3)])
    with pytest.raises(DataError, match=r"a/b: 16 of the pictures are gray .* and 3 in color"):
        _ = source("hugging_face", path="a/b").channels


def test_the_hub_holds_out_validation_only_where_there_is_no_test(
    source: Source, picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [picture(n) for n in range(3)]
    for splits, names, unused in (
        ({"train": some, "validation": some[:2]}, ("train", "validation"), {}),
        ({"validation": some[:2], "test": some[:1], "train": some}, ("train", "test"), {"validation": 2}),
        ({"train": some, "extra": some}, (), {"extra": 3}),
    ):
        hub(monkeypatch, **splits)
        found = source("hugging_face", path="a/b").collection(0)
        assert (found.split_names, found.unused_images) == (names, unused)
        assert np.bincount(found.splits).tolist() == [3, len(splits[names[1]])] if names else [2, 1]
    hub(monkeypatch, whole=some)
    with pytest.raises(DataError, match='a/b has no split "train" or "test", only whole'):
        source("hugging_face", path="a/b").collection(0)
