"""The content of a zip or a tar, read in memory and never extracted.

An archive is not trusted: names that point outside are refused, links are not followed, and what a file may hold is
bounded. The tar reader is our own because the standard library's needs longer for a small picture's header than its
decoding takes.
"""

import re
import stat
import zlib
from collections.abc import Callable, Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile, ZipFile, ZipInfo

from genpipe.dataset.decoding import MAX_FILE_BYTES
from genpipe.dataset.unpacking import unpacked
from genpipe.errors import DataError
from genpipe.files import DAMAGED, ZIP_MAGIC, opened, reason, verify_proportion


class Link(NamedTuple):
    """A link in an archive, in place of a file's content."""

    target: str | None
    """The file of the same archive that a hard link is another name of; None for a symbolic link."""


Member = tuple[str, bytes | Link | None]
"""A file's name, and its content if requested; nothing if the archive is damaged there."""

_OUTSIDE = re.compile(r"^/|^[A-Za-z]:|\\|\0|(^|/)\.\.(/|$)")
_BLOCK = 512
_NOTE_BYTES = 2**16
_DIGITS = 20
_END = b"\0" * _BLOCK
_HARD, _FOLDER = b"15"
_Said = dict[str, Any]
"""Facts about a member that precede its header: "path", "linkpath", "size"."""


def members(path: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    """Yields the files of an archive in its order, with the requested contents, and the links.

    Raises DataError if it is no archive, damaged, cut short, or made to do harm.
    """
    try:
        with opened(path) as file:
            magic = file.read(4)
            file.seek(0)
            yield from _zipped(path, file, wanted) if magic in ZIP_MAGIC else _tarred(path, file, wanted)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist.") from None
    except DAMAGED as error:
        raise DataError(f"{path} cannot be read as a zip or a tar (plain, .gz, .bz2, .xz): {reason(error)}.") from None


def _zipped(path: Path, file: BufferedIOBase, wanted: Callable[[str], bool]) -> Iterator[Member]:
    with ZipFile(file) as archive:
        verify_proportion(sum(info.file_size for info in archive.infolist()), path)
        for info in archive.infolist():
            _verify_name(info.filename, path)
            if stat.S_ISLNK(info.external_attr >> 16):
                yield info.filename, Link(None)
            elif not info.is_dir():
                yield info.filename, _unzipped(archive, info, path) if wanted(info.filename) else None


def _unzipped(archive: ZipFile, info: ZipInfo, path: Path) -> bytes:
    _verify_size(info.filename, info.file_size, path)
    try:
        with archive.open(info) as member:
            return member.read(MAX_FILE_BYTES + 1)
    except (BadZipFile, zlib.error, EOFError):
        return b""


def _tarred(path: Path, file: BufferedIOBase, wanted: Callable[[str], bool]) -> Iterator[Member]:
    """The members up to the end of the file: what follows a mark of the end is another tar, appended to the first."""
    stream, ended = unpacked(path, file), False
    said: _Said | None = None
    while header := stream.read(_BLOCK):
        ended = header == _END and said is None
        if ended:
            continue
        name, target, size, kind = _header(header, path)
        if kind in b"LKxXg":
            _verify_size(name, size, path, _NOTE_BYTES)
            said = _joined(said or {}, _noted(kind, _content(stream, size, path)))
            continue
        if said is not None:
            name, target, size = said.get("path", name), said.get("linkpath", target), said.get("size", size)
            said = None
        _verify_name(name, path)
        if kind in b"12":
            yield name, Link(target if kind == _HARD else None)
        elif kind in b"0\x007":
            yield name, _file(stream, name, size, path, wanted)
        else:
            _pass(stream, name, size, kind, path)
    if not ended:
        raise DataError(f"{path} has no end: it was cut short while it was written or downloaded, or it is no tar.")


def _file(stream: BufferedIOBase, name: str, size: int, path: Path, wanted: Callable[[str], bool]) -> bytes | None:
    if wanted(name):
        _verify_size(name, size, path)
        return _content(stream, size, path)
    _skip(stream, size, path)
    return None


def _pass(stream: BufferedIOBase, name: str, size: int, kind: int, path: Path) -> None:
    """Goes past what is no file: a folder, or the label of a volume. Raises DataError if it might have been a file."""
    if kind not in b"5DV":
        raise DataError(
            f"{path}: {name} is no regular file, but of kind {chr(kind)!r} (a pipe, a device, a file with holes). Take "
            "it out, or pack it without --sparse."
        )
    _skip(stream, 0 if kind == _FOLDER else size, path)


def _header(block: bytes, path: Path) -> tuple[str, str, int, int]:
    """Name, target of a link, size in bytes and kind of a tar's member."""
    checksum, size = _number(block[148:156]), _number(block[124:136])
    if len(block) < _BLOCK or size < 0 or checksum != sum(block) - sum(block[148:156]) + 8 * 32:
        raise DataError(f"{path} is damaged, or no zip and no tar (plain, .gz, .bz2, .xz).")
    name = _text(block[:100])
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    target = _text(block[157:257]) if block[156] in b"12" else ""
    return f"{prefix}/{name}" if prefix else name, target, size, block[156]


def _number(field: bytes) -> int:
    """A number of a tar's header, octal or, as GNU has large ones, binary; -1 if it is none, or negative."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:])
    digits = field.rstrip(b" \0").lstrip(b" ")
    try:
        return int(digits, 8) if digits.isdigit() else -1 if digits else 0
    except ValueError:  # an 8 or a 9
        return -1


def _noted(kind: int, content: bytes) -> _Said:
    """What a member says of the one that follows: as GNU ("L", "K") or as POSIX has it. Raises ValueError."""
    if kind in b"LK":
        if not content.endswith(b"\0"):
            raise ValueError("a long name is damaged")
        return {"path" if kind == ord("L") else "linkpath": _text(content)}
    records = dict(_records(content))
    if any(key.startswith(b"GNU.sparse") for key in records):
        raise ValueError("it holds files with holes; pack it without --sparse")
    said: _Said = {}
    for key in (b"path", b"linkpath"):
        if records.get(key):
            said[key.decode()] = records[key].decode("utf-8", "surrogateescape")
    if size := records.get(b"size"):
        said["size"] = _decimal(size)
    if said and kind == ord("g"):
        raise ValueError("it gives all its files one name or one size")
    return said


def _joined(before: _Said, said: _Said) -> _Said:
    if before.keys() & said.keys():
        raise ValueError("it gives a file two names or two sizes")
    return before | said


def _records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a POSIX header, each with its length before it. Raises ValueError."""
    content = content.rstrip(b"\0")
    while content:
        digits = content.partition(b" ")[0]
        length = _decimal(digits)
        record, content = content[:length], content[length:]
        key, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if not equals or len(record) < length or not record.endswith(b"\n"):
            raise ValueError("a header is damaged")
        yield key, value


def _decimal(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > _DIGITS:
        raise ValueError("a header has no number where it should have one")
    return int(digits)


def _content(stream: BufferedIOBase, size: int, path: Path) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise DataError(f"{path} ends in the middle of a file: it is damaged, or its download was cut short.")
    stream.read(-size % _BLOCK)
    return content


def _skip(stream: BufferedIOBase, size: int, path: Path) -> None:
    left = size + -size % _BLOCK
    while left:
        block = stream.read(min(left, 2**20))
        if not block:
            raise DataError(f"{path} ends in the middle of a file: it is damaged, or its download was cut short.")
        left -= len(block)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _verify_size(name: str, size: int, path: Path, most: int = MAX_FILE_BYTES) -> None:
    if size > most:
        raise DataError(f"{path}: {name} unpacks to {size:,} bytes; at most {most:,} are allowed. Take it out.")


def _verify_name(name: str, path: Path) -> None:
    if _OUTSIDE.search(name):
        raise DataError(f"{path}: the name {name!r} points outside of the archive: refused. Pack it anew.")
