"""Whatever is done to an archive, it is read as the standard library reads it, or refused in one message."""

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from posixpath import normpath
from typing import Any

import numpy as np
import pytest

from genpipe.dataset import picture_files
from genpipe.errors import DataError
from tests.data.test_own_pictures import Picture
from tests.fuzzing import cases

JUNK = [b"-1", b"+7", b"0x1f", b"1_0", b"9" * 11, b"7" * 11, b" 12 ", b"", "٣".encode(), b"\0\x007", b"\n", b"1e3"]
JUNK += [b"\x80" + b"\0" * 10, b"\xff" * 12, b"\x80" + b"\xff" * 11, b"\xc0" + b"\0" * 11, b"00000000010 "]
FIELDS = [(124, 12), (124, 12), (156, 1), (0, 100), (157, 100), (148, 8)]
"""Begin and length of a header's size, kind, name, target and checksum."""
RECORDS = [b"size", b"path", b"linkpath", b"GNU.sparse.name", b"mtime", b""]
Rng = np.random.Generator


def pick(rng: Rng, options: Sequence[Any]) -> Any:
    """One of them; numpy's own choice would cut bytes at their last zero."""
    return options[rng.integers(len(options))]


def originals(picture: Picture) -> dict[str, bytes]:
    files = {f"{'ab'[n % 2]}/{n}.png": picture(n) for n in range(5)}
    files |= {"a/" + "y" * 110 + ".png": picture(6), "dataset.json": b'{"labels": null}'}
    made = {}
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(fileobj=(packed := io.BytesIO()), mode="w", format=form) as tar:
            for name, content in files.items():
                (info := tarfile.TarInfo(name if form else name[-99:])).size = len(content)
                tar.addfile(info, io.BytesIO(content))
            for name, kind, target in (("b/hard.png", b"1", "a/0.png"), ("b/soft.png", b"2", "a/0.png")):
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, target
                tar.addfile(info)
        made[f"tar {form}"] = packed.getvalue()
    made["gz"] = gzip.compress(made["tar 2"], mtime=0)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(packed := io.BytesIO(), "w", method) as zipped:
            for name, content in files.items():
                zipped.writestr(zipfile.ZipInfo(name), content, method)
        made[f"zip {method}"] = packed.getvalue()
    return made


def spoilt(content: bytes, tar: bool, rng: Rng) -> bytes:
    """The content after one to three changes."""
    raw = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        change = pick(rng, [change_bytes, cut, _repeated, lost, *([_field, _field, _record] if tar else [tail, tail])])
        change(raw, rng)
    return bytes(raw)


def _place(raw: bytearray, rng: Rng, unit: int = 1) -> int:
    return int(rng.integers(len(raw) // unit + 1)) * unit


def change_bytes(raw: bytearray, rng: Rng) -> None:
    for _ in range(rng.integers(1, 6)):
        if raw:
            raw[rng.integers(len(raw))] = pick(rng, [0, 1, 0x7F, 0x80, 0xFF, rng.integers(256)])


def cut(raw: bytearray, rng: Rng) -> None:
    del raw[_place(raw, rng, pick(rng, [1, 512])) :]


def _repeated(raw: bytearray, rng: Rng) -> None:
    at, unit = _place(raw, rng, 512), 512 * int(rng.integers(1, 4))
    raw[at:at] = raw[at : at + unit]


def lost(raw: bytearray, rng: Rng) -> None:
    at = _place(raw, rng, 512)
    del raw[at : at + 512]


def tail(raw: bytearray, rng: Rng) -> None:
    """Where a zip lists what is in it."""
    for _ in range(rng.integers(1, 4)):
        at = max(0, len(raw) - int(rng.integers(1, 700)))
        raw[at : at + 4] = rng.bytes(rng.integers(1, 5)) if rng.random() < 0.5 else pick(rng, [b"\0" * 4, b"\xff" * 4])


def _field(raw: bytearray, rng: Rng) -> None:
    """A number, a kind or a name in a header, whose checksum is set right."""
    at, (start, length) = _header(raw, rng), pick(rng, FIELDS)
    junk = pick(rng, [b"7", b"S", b"1", b"x", b"L", b"g", b"5", b"\0"]) if length == 1 else pick(rng, JUNK)
    raw[at + start : at + start + length] = junk[:length].ljust(length, b"\0")
    _sign(raw, at)


def _record(raw: bytearray, rng: Rng) -> None:
    """A POSIX header, put before a member, with a record that may be any nonsense."""
    at, key = _header(raw, rng), pick(rng, RECORDS)
    body = b"%s=%s\n" % (key, pick(rng, [b"9" * 5000, b"-1", b"", b"77", "٣".encode(), b"a/../../b.png", b"a/9.png"]))
    length = pick(rng, [b"%d" % (len(body) + 3 + (len(body) > 95)), b"9" * 5000, b"0", b"-3", b"", "٣".encode()])
    content = length + b" " + body
    block = bytearray(tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT))
    block[124:136], block[156] = b"%011o\0" % len(content), ord("x")
    _sign(block, 0)
    raw[at:at] = block + content + b"\0" * (-len(content) % 512)


def _header(raw: bytearray, rng: Rng) -> int:
    places = [at for at in range(0, len(raw) - 511, 512) if raw[at + 257 : at + 262] == b"ustar"]
    if not places:
        raw[:] = tarfile.TarInfo("0.png").tobuf()
    return pick(rng, places) if places else 0


def _sign(raw: bytearray, at: int) -> None:
    block = raw[at : at + 512]
    raw[at + 148 : at + 156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 256)


def known(path: Path, tar: bool) -> dict[str, bytes]:
    """The pictures of an archive as the standard library reads them; a link has the content of what it points to."""
    if not tar:
        with zipfile.ZipFile(path) as zipped:
            files = [i for i in zipped.infolist() if not stat.S_ISLNK(i.external_attr >> 16)]
            return {normpath(i.filename): _unzipped(zipped, i) for i in files if i.filename.endswith(".png")}
    with tarfile.open(path, ignore_zeros=True) as packed:
        members = [m for m in packed.getmembers() if (m.isreg() or m.islnk()) and m.name.endswith(".png")]
        return {normpath(m.name): packed.extractfile(m).read() for m in members}


def _unzipped(zipped: zipfile.ZipFile, name: zipfile.ZipInfo) -> bytes:
    try:
        return zipped.read(name)
    except Exception:  # a picture that cannot be read is one with no content
        return b""


def test_a_spoilt_archive_is_read_rightly_or_refused(
    tmp_path: Path, picture: Picture, source: Callable[..., Any], measured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_files, "remembered", lambda name, state, kind, listed: listed())
    rng, made = np.random.default_rng(0), originals(picture)
    path, kinds, outcomes = tmp_path / "x", list(made), {True: 0, False: 0}

    def found() -> dict[str, bytes] | None:
        try:
            rows = np.arange(len((opened := source("archive", path=str(path), labels=False)).collection(0).splits))
            return {name: content for chunk in opened.collection(0).read(rows) for name, content in chunk.images}
        except DataError:
            return None

    for number in range(cases(200)):
        kind = kinds[number % len(kinds)]
        content = spoilt(made["tar 2" if kind == "gz" else kind], "zip" not in kind, rng)
        if kind == "gz":
            content = gzip.compress(content, 1, mtime=0)
            content = spoilt(content, False, rng) if rng.random() < 0.2 else content
        path.write_bytes(content)
        pictures = measured(found)
        outcomes[pictures is not None] += 1
        if pictures is not None:
            assert pictures == known(path, "zip" not in kind), f"case {number}: {kind}"
    assert min(outcomes.values()) > sum(outcomes.values()) / 20, f"{outcomes}: one of them is hardly tried"
