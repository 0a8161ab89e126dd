"""What is in a zip or a tar, read in memory and never extracted.

An archive is not trusted: names that point outside are refused, links are not followed, and what a file may hold is
bounded. The tar reader is our own because the standard library's needs longer for a small picture's header than its
decoding takes.
"""

import io
import lzma
import re
import stat
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from genpipe.data._decoding import MAX_FILE_BYTES
from genpipe.errors import DataError

Member = tuple[str, bytes | None]
"""A file's name, and what is in it if that was wanted; nothing if the archive is damaged there."""

MAX_RATIO = 1000
MAX_FREE_BYTES = 2**30
"""What an archive unpacks to may be so many times its size, and this in any case."""
_XZ_BYTES = 2**28
"""An xz stream may say itself how much memory its reader needs."""
_OUTSIDE = re.compile(r"^/|^[A-Za-z]:|\\|\0|(^|/)\.\.(/|$)")
_BLOCK = 512
_WAITING = 4
_NAME_BYTES = 2**16


def members(path: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    """The regular files of an archive in its order, with the contents of those that are wanted.

    Raises DataError if it is no archive, damaged, or made to do harm.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(6)
            file.seek(0)
            yield from _zipped(path, wanted) if magic[:4] in (b"PK\3\4", b"PK\5\6") else _tarred(path, file, wanted)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist.") from None
    except (BadZipFile, lzma.LZMAError, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise DataError(f"{path} cannot be read as a zip or a tar (plain, .gz, .bz2, .xz): {error}.") from None


def _zipped(path: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    with ZipFile(path) as archive:
        _bounded(sum(info.file_size for info in archive.infolist()), path)
        for info in archive.infolist():
            _verify_name(info.filename, path)
            if not info.is_dir() and not stat.S_ISLNK(info.external_attr >> 16):
                yield info.filename, _unzipped(archive, info, path) if wanted(info.filename) else None


def _unzipped(archive: ZipFile, info: ZipInfo, path: Path) -> bytes:
    _verify_size(info.filename, info.file_size, path)
    try:
        with archive.open(info) as member:
            return member.read(MAX_FILE_BYTES + 1)
    except (BadZipFile, zlib.error, EOFError):
        return b""


def _tarred(path: Path, file: io.BufferedIOBase, wanted: Callable[[str], bool]) -> Iterator[Member]:
    stream, long_name, end = _unpacked(path, file), "", b"\0" * _BLOCK
    while (header := stream.read(_BLOCK)) and header != end:
        name, size, kind = _header(header, path)
        if kind in b"LxKgX":
            _verify_size(name, size, path, _NAME_BYTES)
            content = _content(stream, size, path)
            long_name = _long_name(kind, content) or long_name
            continue
        name, long_name = long_name or name, ""
        _verify_name(name, path)
        if kind not in b"0\x007":
            _skip(stream, size if kind not in b"123456" else 0, path)
        elif wanted(name):
            _verify_size(name, size, path)
            yield name, _content(stream, size, path)
        else:
            _skip(stream, size, path)
            yield name, None


def _header(block: bytes, path: Path) -> tuple[str, int, int]:
    """Name, size in bytes and kind of a tar's member."""
    try:
        checksum = int(block[148:156].strip(b" \0") or b"0", 8)
        size = int.from_bytes(block[125:136]) if block[124] & 0x80 else int(block[124:136].strip(b" \0") or b"0", 8)
    except (ValueError, IndexError):
        checksum, size = -1, 0
    if len(block) < _BLOCK or checksum != sum(block) - sum(block[148:156]) + 8 * 32:
        raise DataError(f"{path} is damaged, or no zip and no tar (plain, .gz, .bz2, .xz).")
    name = _text(block[:100])
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name, size, block[156]


def _long_name(kind: int, content: bytes) -> str:
    """The name that stands in a member of its own, as GNU ("L") or as POSIX ("x") has it."""
    if kind == ord("L"):
        return _text(content)
    while kind == ord("x") and content:
        length, _, rest = content.partition(b" ")
        record = rest[: int(length) - len(length) - 2] if length.isdigit() else b""
        if record.startswith(b"path="):
            return record[5:].decode("utf-8", "surrogateescape")
        content = content[int(length) :] if record else b""
    return ""


def _content(stream: io.BufferedIOBase, size: int, path: Path) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise DataError(f"{path} ends in the middle of a file: it is damaged, or its download was cut short.")
    stream.read(-size % _BLOCK)
    return content


def _skip(stream: io.BufferedIOBase, size: int, path: Path) -> None:
    left = size + -size % _BLOCK
    while left:
        block = stream.read(min(left, 2**20))
        if not block:
            raise DataError(f"{path} ends in the middle of a file: it is damaged, or its download was cut short.")
        left -= len(block)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _unpacked(path: Path, file: io.BufferedIOBase) -> io.BufferedIOBase:
    magic = file.read(6)
    file.seek(0)
    if magic == b"\xfd7zXZ\0":
        blocks = _xz_blocks(file)
    elif magic[:2] == b"\x1f\x8b":
        import gzip

        blocks = _blocks(gzip.GzipFile(fileobj=file))
    elif magic[:3] == b"BZh":
        import bz2

        blocks = _blocks(bz2.BZ2File(file))
    else:
        return file
    return io.BufferedReader(_Bounded(_ahead(blocks), path), 2**20)


def _ahead(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The blocks, unpacked on a thread of their own while those before are used; a few wait at most."""
    with ThreadPoolExecutor(1) as thread:
        waiting = deque(thread.submit(next, blocks, None) for _ in range(_WAITING))
        while (block := waiting.popleft().result()) is not None:
            waiting.append(thread.submit(next, blocks, None))
            yield block


def _blocks(stream: io.BufferedIOBase) -> Iterator[bytes]:
    return iter(lambda: stream.read(2**20), b"")


def _xz_blocks(file: io.BufferedIOBase) -> Iterator[bytes]:
    """What is in one xz stream after the other; the standard library's reader lets a file ask for any memory."""
    unpacker, begun, rest = lzma.LZMADecompressor(memlimit=_XZ_BYTES), False, b""
    while True:
        packed = (rest or file.read(2**18)) if unpacker.needs_input else b""
        if unpacker.needs_input and not packed:
            if begun:
                raise EOFError("its end is missing")
            return
        rest, packed = b"", packed if begun else packed.lstrip(b"\0")
        begun = begun or bool(packed)
        yield unpacker.decompress(packed, 2**20) if begun else b""
        if unpacker.eof:
            rest, begun, unpacker = unpacker.unused_data, False, lzma.LZMADecompressor(memlimit=_XZ_BYTES)


class _Bounded(io.RawIOBase):
    """A file made of blocks that may not get out of proportion to the packed one."""

    def __init__(self, blocks: Iterator[bytes], path: Path) -> None:
        self.blocks, self.path, self.left, self.total = blocks, path, b"", 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self.left:
            block = next(self.blocks, None)
            if block is None:
                return 0
            self.left, self.total = block, self.total + len(block)
            _bounded(self.total, self.path)
        count = min(len(buffer), len(self.left))
        buffer[:count], self.left = self.left[:count], self.left[count:]
        return count


def _bounded(total_bytes: int, path: Path) -> None:
    allowed = MAX_FREE_BYTES + MAX_RATIO * path.stat().st_size
    if total_bytes > allowed:
        raise DataError(f"{path} unpacks to more than {allowed:,} bytes, out of proportion to its size: refused.")


def _verify_size(name: str, size: int, path: Path, most: int = MAX_FILE_BYTES) -> None:
    if size > most:
        raise DataError(f"{path}: {name} unpacks to {size:,} bytes; at most {most:,} are allowed. Take it out.")


def _verify_name(name: str, path: Path) -> None:
    if _OUTSIDE.search(name):
        raise DataError(f"{path}: the name {name!r} points outside of the archive: refused. Pack it anew.")
