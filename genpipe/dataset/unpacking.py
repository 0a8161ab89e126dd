"""Decompression of .gz, .bz2 and .xz files while reading, with a limit in proportion to their size."""

import io
import lzma
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from genpipe.files import verify_proportion

_XZ_BYTES = 2**28
"""An xz stream may say itself how much memory its reader needs."""
_WAITING = 4


def unpacked(path: Path, file: io.BufferedIOBase) -> io.BufferedIOBase:
    """Returns the content of a file, decompressed if needed. Reading it raises DataError beyond the limit."""
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
            verify_proportion(self.total, self.path)
        count = min(len(buffer), len(self.left))
        buffer[:count], self.left = self.left[:count], self.left[count:]
        return count
