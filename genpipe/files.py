"""Files that are written whole or not at all, and read only if they are files, within bounds, and run no code."""

import ast
import errno
import json
import lzma
import os
import re
import shutil
import stat
import struct
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedIOBase, BufferedReader, TextIOWrapper
from math import prod
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4
from zipfile import BadZipFile, ZipFile

import numpy as np

from genpipe.errors import DataError, Locked, shortened

DAMAGED = (
    *(OSError, EOFError, ValueError, LookupError, RuntimeError, MemoryError, OverflowError),
    *(BadZipFile, zlib.error, lzma.LZMAError, struct.error),
)
"""What readers of archives and arrays raise for a file that is damaged, or none of theirs."""
MAX_RATIO = 1000
MAX_FREE_BYTES = 2**30
"""What a packed file unpacks to may be so many times its size, and this in any case."""
ZIP_MAGIC = (b"PK\3\4", b"PK\5\6")
_HEADER_BYTES = 10_000
"""numpy's own bound on what an array says of itself."""
DOWNLOAD_WAIT_SEC = 3600.0
"""So long another process may download what this one needs too."""
_PATIENCE_SEC = 5.0
"""Whoever waits for longer than that says for what."""
_LONG = re.compile(r"\b(\d+)L\b")
"""A whole number as Python 2 wrote it."""


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; it takes its place, flushed to disk, if the block ends well.

    Raises IsADirectoryError if a folder is there.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        settle(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def settle(temporary: Path, path: Path) -> None:
    """Gives a finished file its name; after a power cut, too, there is the whole of it or what was there before."""
    with temporary.open("rb+") as written:
        os.fsync(written.fileno())
    temporary.replace(path)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path`; it takes the place of `path` if the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:8]}.tmp")
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def locked(path: Path, wait_sec: float, purpose: str) -> Iterator[None]:
    """Keeps all others out for as long as the block runs. Raises Locked if another one is inside for so long."""
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock, patience = FileLock(path, thread_local=False), min(wait_sec, _PATIENCE_SEC)
    try:
        try:
            lock.acquire(timeout=patience)
        except Timeout:
            if wait_sec > patience:
                print(f"waiting for another process, which holds {path} ({purpose})", file=sys.stderr)
            lock.acquire(timeout=wait_sec - patience)
    except Timeout:
        raise Locked(path, wait_sec, purpose) from None
    try:
        yield
    finally:
        lock.release()


def write_text(path: Path, text: str) -> None:
    """Replaces the file by the text."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Replaces the file by the value, indented, keys in the order given."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def opened(path: Path, *, follow: bool = True) -> BufferedReader:
    """A regular file, opened to be read; a link to one too, if links are to be followed.

    Raises OSError for anything else: a FIFO, a socket or a device would be waited for without end.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags | (0 if follow else getattr(os, "O_NOFOLLOW", 0)))
    except OSError as error:
        raise (_no_file(path) if error.errno == errno.ENXIO else error) from None  # a socket is not even opened
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path)) if stat.S_ISDIR(mode) else _no_file(path)


def _no_file(path: Path) -> OSError:
    return OSError(errno.EINVAL, "it is no regular file", str(path))


def reason(error: BaseException) -> str:
    """What an error says, without numbers and names of its kind."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def read_text(path: Path) -> str:
    """The text of a regular file in UTF-8, its line ends as "\\n". Raises OSError, and UnicodeDecodeError."""
    with TextIOWrapper(opened(path), encoding="utf-8") as file:
        return file.read()


def read_json(path: Path) -> Any:
    """The value in a JSON file."""
    return json.loads(read_text(path))


def verify_proportion(unpacked_bytes: int, path: Path) -> None:
    """Raises DataError if a packed file unpacks to so much that it is meant to do harm."""
    allowed = MAX_FREE_BYTES + MAX_RATIO * path.stat().st_size
    if unpacked_bytes > allowed:
        raise DataError(f"{path} unpacks to more than {allowed:,} bytes, out of proportion to its size: refused.")


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Replaces the archive by the arrays; the same arrays give the same bytes."""
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an archive by name; none is unpickled. Raises DataError if it is missing or damaged."""
    try:
        return {name: read_array(path, name) for name in array_names(path)}
    except DataError as error:
        raise DataError(f"{error} Delete it, if it is there, and run `dvc repro`.") from None


class ArrayHeader(NamedTuple):
    """What a .npy file says of its array."""

    shape: tuple[int, ...]
    columns_first: bool
    dtype: np.dtype

    @property
    def size_bytes(self) -> int:
        """How long the array is."""
        return prod(self.shape) * self.dtype.itemsize


def array_names(path: Path) -> list[str]:
    """The names of the arrays in a .npz; the one of a .npy has the name "". Raises DataError if it is neither."""
    with _arrays(path) as (_, archive):
        if archive is None:
            return [""]
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        if len(set(names)) < len(names):
            raise DataError(f"{path} holds two arrays of one name: {', '.join(sorted(names))}. Save it anew.")
        return names


@contextmanager
def opened_array(path: Path, name: str) -> Iterator[tuple[ArrayHeader, BufferedIOBase]]:
    """What an array says of itself, and the file behind it, as long as it says. Raises DataError if it is not so."""
    with _arrays(path) as (packed, archive), ExitStack() as stack:
        file: Any = packed
        if archive is None:
            length = os.fstat(file.fileno()).st_size
        else:
            info = archive.getinfo(f"{name}.npy")
            file, length = stack.enter_context(archive.open(info)), info.file_size
        header, start = _header(file)
        if length != start + header.size_bytes:
            says = shortened(f"its array {header.shape} of {header.dtype}")
            raise ValueError(f"{says} would end after {start + header.size_bytes:,} bytes, and there are {length:,}")
        yield header, file


def read_array(path: Path, name: str) -> np.ndarray:
    """An array of a file, in memory. Raises DataError if it is damaged or not there."""
    with opened_array(path, name) as (header, file):
        content = bytearray(file.read(header.size_bytes))
        if len(content) < header.size_bytes:
            raise EOFError("it ends before its array does")
        return np.ndarray(header.shape, header.dtype, content, order="F" if header.columns_first else "C")


@contextmanager
def _arrays(path: Path) -> Iterator[tuple[BufferedIOBase, ZipFile | None]]:
    """A .npy file, or the archive that a .npz file is. Raises DataError for what goes wrong with it, also later."""
    try:
        with opened(path) as file, ExitStack() as stack:
            archive = stack.enter_context(ZipFile(file)) if file.read(4) in ZIP_MAGIC else None
            file.seek(0)
            verify_proportion(sum(info.file_size for info in archive.infolist()) if archive else 0, path)
            yield file, archive
    except FileNotFoundError:
        raise DataError(f"{path} does not exist.") from None
    except DAMAGED as error:
        raise DataError(f"{path} cannot be read as .npz or .npy: {reason(error)}.") from None


def _header(file: BufferedIOBase) -> tuple[ArrayHeader, int]:
    """What a .npy file says of its array, and where this begins. Raises ValueError if it is no such file.

    Not by numpy's own reader: of a header that it does not understand it makes work for minutes.
    """
    magic, version = file.read(6), file.read(2)
    wide = version != b"\1\0"
    length = int.from_bytes(file.read(4 if wide else 2), "little")
    if magic != b"\x93NUMPY" or version not in (b"\1\0", b"\2\0", b"\3\0") or length > _HEADER_BYTES:
        raise ValueError(f"it does not begin as such a file does, with a header of at most {_HEADER_BYTES:,} bytes")
    text = file.read(length).decode("latin-1")
    try:
        said = ast.literal_eval(_LONG.sub(r"\1", text).strip(" \n"))
        header = ArrayHeader(said["shape"], said["fortran_order"], np.dtype(str(said["descr"])))
        whole = len(said) == 3 and all(type(side) is int and 0 <= side < 2**63 for side in header.shape)
    except Exception:  # Python's parser and numpy's raise anything that they can stumble over
        whole = False
    if not whole or (type(header.shape), type(header.columns_first)) != (tuple, bool) or header.dtype.hasobject:
        raise ValueError(f"its header says nothing of numbers in an array: {shortened(text)}")
    return header, (12 if wide else 10) + length
