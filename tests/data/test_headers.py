"""Headers of archives and arrays that are nonsense, and what only pretends to be a file: one message each."""

import io
import os
import socket
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genpipe.dataset.archives import members
from genpipe.errors import DataError
from tests.data.test_own_pictures import Picture, tar_of

Build = Callable[..., Any]


# --- tar --------------------------------------------------------------------------------------------------------------


def signed(header: bytes, start: int, field: bytes) -> bytes:
    """A tar's header with another field, and the checksum that then is right."""
    changed = header[:start] + field + header[start + len(field) :]
    total = sum(changed) - sum(changed[148:156]) + 256
    return changed[:148] + b"%06o\0 " % total + changed[156:]


SIZES = {
    "minus": b"-0000000001\0",
    "negative": b"\xff" * 12,
    "vast": b"\x80" + b"\xff" * 11,
    "sign bit": b"\xc0" + b"\0" * 11,
    "nine": b"0000000009\0 ",
    "underscore": b"1_0".ljust(12),
    "prefix": b"0o17".ljust(12, b"\0"),
    "arabic": "٣".encode().ljust(12, b"\0"),
    "late": b"\0007".ljust(12, b"\0"),
    "long": b"7" * 12,
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", [b"0", b"L", b"x", b"g", b"V"])
def test_a_size_that_is_none_is_refused(kind: bytes, size: str, tmp_path: Path) -> None:
    raw = tar_of(tmp_path / "x", {"0.png": b"content"}, form=tarfile.USTAR_FORMAT).read_bytes()
    (tmp_path / "x").write_bytes(signed(signed(raw[:512], 156, kind), 124, SIZES[size]) + raw[512:])
    with pytest.raises(DataError, match=r"is damaged|are allowed|in the middle of a file"):
        list(members(tmp_path / "x", lambda name: True))


def noted(tmp_path: Path, kind: bytes, content: bytes) -> Path:
    """A tar of one file, and before it a member that says something of it."""
    note = tarfile.TarInfo("note")
    note.size = len(content)
    header = signed(note.tobuf(tarfile.USTAR_FORMAT), 156, kind)
    raw = tar_of(tmp_path / "x", {"0.png": b"content"}, form=tarfile.USTAR_FORMAT).read_bytes()
    (tmp_path / "x").write_bytes(header + content + b"\0" * (-len(content) % 512) + raw)
    return tmp_path / "x"


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (b"x", b"9" * 5000 + b" path=a.png\n"),
        (b"x", b"9" * 19 + b" path=a.png\n"),
        (b"x", b"14 path=a.png\n15 linkpath=b"),
        (b"x", b"0 path=a.png\n"),
        (b"x", b"-4 path=a.png\n"),
        (b"x", "١٤ path=a.png\n".encode()),
        (b"x", b"path=a.png\n"),
        (b"x", b"9 size=-\n"),
        (b"x", b"10 size=1.\n"),
        (b"x", b"27 GNU.sparse.name=abc.png\n"),
        (b"X", b"13 path=a.png\n"),
        (b"g", b"14 path=a.png\n"),
        (b"g", b"9" * 5000),
        (b"L", b"a.png"),
    ],
)
def test_what_is_said_of_a_file_and_cannot_be_is_refused(kind: bytes, content: bytes, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read as a zip or a tar"):
        list(members(noted(tmp_path, kind, content), lambda name: True))


def test_what_is_said_of_a_file_holds(tmp_path: Path) -> None:
    for kind, content, name in (
        (b"x", b"14 path=a.png\n", "a.png"),
        (b"X", b"9 size=3\n14 path=a.png\n", "a.png"),
        (b"L", b"a.png\0", "a.png"),
        (b"g", b"13 comment=x\n", "0.png"),
        (b"x", b"8 path=\n", "0.png"),
    ):
        ((found, inside),) = members(noted(tmp_path, kind, content), lambda name: True)
        assert (found, inside) == (name, b"con" if b"size" in content else b"content")


# --- arrays -----------------------------------------------------------------------------------------------------------


def npy(header: str, content: bytes = b"", version: int = 1, length: int | None = None) -> bytes:
    text = f"{header}\n".encode("latin-1")
    size = len(text) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", size) + text + content


def described(shape: str, dtype: str = "'|u1'", order: str = "False") -> str:
    return f"{{'descr': {dtype}, 'fortran_order': {order}, 'shape': {shape}, }}"


NONSENSE = {
    "negative": npy(described("(-1, 4, 4)"), bytes(96)),
    "huge": npy(described("(1000000000000, 4, 4)"), bytes(96)),
    "overflow": npy(described("(4294967296, 4294967296, 4294967296)"), bytes(96)),
    "beyond": npy(described(f"({'9' * 4000}, 4, 4)"), bytes(96)),
    "no count": npy(described("(0, 4, 4)")),
    "no side": npy(described("(6, 0, 4)")),
    "many of no size": npy(described("(1000000000, 1000000000, 0)")),
    "one number": npy(described("()"), bytes(1)),
    "line": npy(described("(6,)"), bytes(6)),
    "boolean": npy(described("(True, 4, 4)"), bytes(16)),
    "structured": npy(described("(6, 4, 4)", "[('a', '|u1')]"), bytes(96)),
    "objects": npy(described("(6, 4, 4)", "'|O'"), bytes(768)),
    "texts": npy(described("(6, 4, 4)", "'<U1'"), bytes(384)),
    "complex": npy(described("(6, 4, 4)", "'<c8'"), bytes(768)),
    "nothing a number": npy(described("(6, 4, 4)", "'|V0'")),
    "columns": npy(described("(6, 4, 4)", order="True"), bytes(96)),
    "no order": npy(described("(6, 4, 4)", order="0"), bytes(96)),
    "short": npy(described("(6, 4, 4)"), bytes(95)),
    "more": npy(described("(6, 4, 4)"), bytes(96)) * 2,
    "deep": npy(described("(" * 3000)),
    "slow": npy(described("(6,)") + " " * 9000 + "q . x", bytes(6)),
    "code": npy(described("__import__('os').getpid()")),
    "no header": npy("", length=0),
    "long header": npy(described("(6, 4, 4)") + " " * 11_000, bytes(96), 2),
    "endless header": npy(described("(6, 4, 4)"), bytes(96), 2, 2**32 - 1),
    "version": npy(described("(6, 4, 4)"), bytes(96), 4),
    "no array": b"GIF89a" * 30,
    "empty": b"",
}


@pytest.mark.parametrize("zipped", [False, True], ids=["npy", "npz"])
@pytest.mark.parametrize("name", NONSENSE)
def test_an_array_that_is_nonsense_is_refused_at_once(
    name: str, zipped: bool, tmp_path: Path, source: Build, measured: Any
) -> None:
    path = tmp_path / "x"
    path.write_bytes(NONSENSE[name])
    if zipped:
        np.lib.format.write_array(labels := io.BytesIO(), np.zeros(6, np.int64))
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("images.npy", NONSENSE[name])
            packed.writestr("labels.npy", labels.getvalue())
    with pytest.raises(DataError, match=str(path)) as caught:
        measured(lambda: source("arrays", path="x").collection(0))
    assert len(str(caught.value)) < 700


def test_an_array_that_unpacks_without_end_is_refused(tmp_path: Path, source: Build, measured: Any) -> None:
    with zipfile.ZipFile(tmp_path / "x", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("images.npy", npy(described("(16777216, 1048576)"), bytes(96)))
    raw, size = bytearray((tmp_path / "x").read_bytes()), 2**32 - 2
    at = raw.index(b"PK\1\2")
    raw[at + 24 : at + 28] = struct.pack("<I", size)
    (tmp_path / "x").write_bytes(raw)
    with pytest.raises(DataError, match="out of proportion to its size: refused"):
        measured(lambda: source("arrays", path="x").collection(0))


def test_an_array_as_python_2_wrote_it(tmp_path: Path, source: Build) -> None:
    (tmp_path / "x").write_bytes(npy(described("(6L, 4L, 4L)"), bytes(96)))
    assert len(source("arrays", path="x").collection(0).splits) == 6


# --- no regular files -------------------------------------------------------------------------------------------------


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [pipe, listening])
def test_nobody_waits_for_what_is_no_file(
    make: Callable[[Path], None], tmp_path: Path, picture: Picture, source: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "x")
    for name in ("archive", "arrays"):
        with pytest.raises(DataError, match=r"x cannot be read as .*: it is no regular file"):
            source(name, path="x").collection(0)
    for name in ("1.png", "dataset.json", "notes.txt"):
        (tmp_path / name / "a").mkdir(parents=True)
        (tmp_path / name / "a" / "0.png").write_bytes(picture(0))
        make(tmp_path / name / name)
        with pytest.raises(DataError, match=rf"{name} is no regular file \(a pipe, a socket, a device\)"):
            source("folder", path=name).collection(0)
