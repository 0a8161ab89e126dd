"""Whatever is done to a file of arrays, it is read as numpy reads it, or refused in one message."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from genpipe.errors import DataError
from tests.data.test_fuzzed_archives import Rng, change_bytes, cut, lost, pick, tail
from tests.fuzzing import cases

SIDES = ["-1", "0", "1", "3", "4", "5", "6", "1000000000", "10**9", "9" * 30, "9" * 5000, "True", "2.0", "'6'", "None"]
TYPES = ["|u1", "<u2", ">u2", "<f4", "<f8", "|b1", "<i8", "|O", "|V8", "<U5", "|S0", "<M8[s]", "<c8", "<f2", "|u0", "z"]
ODD = [
    "[('a', '|u1')]",
    "('|u1', (2, 3))",
    "[]",
    "{}",
    "None",
    "3",
    "[('', '|O')]",
    "'|u1', 'x': 1",
    f"'{'<u1,' * 50}'",
]


def originals() -> dict[str, bytes]:
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 256, (6, 5, 4), dtype=np.uint8), np.arange(6)
    color = (rng.random((6, 3, 4, 5)) * 200).astype(np.float32) / 255
    made = {}
    for version in ((1, 0), (2, 0), (3, 0)):
        for name, array in (("gray", images), ("color", color)):
            np.lib.format.write_array(file := io.BytesIO(), array, version)
            made[f"{name} {version}"] = file.getvalue()
    for name, save in (("npz", np.savez), ("packed", np.savez_compressed)):
        save(file := io.BytesIO(), images=images, labels=labels)
        made[name] = file.getvalue()
    return made


def header(rng: Rng) -> bytes:
    """The begin of a .npy file that says anything."""
    sides = [pick(rng, SIDES) if rng.random() < 0.3 else side for side in "6543"[: rng.integers(5)]]
    shape = f"({', '.join(sides)}{pick(rng, ['', ',', ','])})"
    if rng.random() < 0.1:
        shape = pick(rng, ["(" * 300, "[" * 9000, "()", "6", "__import__('os')"])
    kind = pick(rng, ODD) if rng.random() < 0.2 else repr(pick(rng, TYPES))
    order = pick(rng, ["False", "False", "True", "0", "x"])
    text = f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}{' ' * pick(rng, [0, 50, 9_000, 60_000])}"
    content = (text + pick(rng, ["\n", ""])).encode()
    version, wide = pick(rng, [b"\1\0", b"\2\0", b"\3\0", b"\4\0"]), rng.random() < 0.5
    length = len(content) if rng.random() < 0.9 else pick(rng, [0, 1, 2**16 - 1, 2**32 - 1])
    return b"\x93NUMPY" + version + length.to_bytes(4, "little")[: 4 if wide else 2] + content


def spoilt(content: bytes, rng: Rng) -> bytes:
    raw = bytearray(content)
    if rng.random() < 0.4:
        raw[: len(raw) - 120 if raw[:2] != b"PK" else 0] = header(rng)
    for _ in range(rng.integers(0, 3)):
        pick(rng, [change_bytes, cut, lost, tail])(raw, rng)
    return bytes(raw)


def in_zip(content: bytes, rng: Rng) -> bytes:
    """A .npz in which one of the arrays may have any begin."""
    with zipfile.ZipFile(file := io.BytesIO(), "w") as packed:
        packed.writestr("images.npy", spoilt(content, rng), pick(rng, [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
        if rng.random() < 0.5:
            np.lib.format.write_array(labels := io.BytesIO(), np.arange(6))
            packed.writestr("labels.npy", spoilt(labels.getvalue(), rng))
    return file.getvalue()


def known(path: Path) -> np.ndarray:
    """The images of a file as numpy reads them."""
    found = np.load(path, allow_pickle=False)
    images = found if isinstance(found, np.ndarray) else found["images"]
    if images.ndim == 3:
        images = images[..., None]
    elif images.shape[3] not in (1, 3, 4):
        images = np.moveaxis(images, 1, -1)
    return images if images.dtype == np.uint8 else np.rint(images * np.float32(255))


def test_a_spoilt_array_is_read_rightly_or_refused(tmp_path: Path, source: Callable[..., Any], measured: Any) -> None:
    rng, made = np.random.default_rng(0), originals()
    path, kinds, outcomes = tmp_path / "x", list(made), {True: 0, False: 0}

    def found() -> np.ndarray | None:
        try:
            collection = (opened := source("arrays", path=str(path))).collection(0)
            assert len(opened.classes) in (0, 6) or collection.labels.max() < len(opened.classes)
            return np.concatenate([chunk.images for chunk in collection.read(np.arange(len(collection.splits)))])
        except DataError:
            return None

    for number in range(cases(300)):
        content = made[kinds[number % len(kinds)]]
        path.write_bytes(in_zip(content, rng) if rng.random() < 0.3 else spoilt(content, rng))
        images = measured(found)
        outcomes[images is not None] += 1
        if images is not None and (right := known(path)).shape[3] != 4:
            assert (images == right).all(), f"case {number}"
    assert min(outcomes.values()) > sum(outcomes.values()) / 20, f"{outcomes}: one of them is hardly tried"
