"""Pictures made for the purpose, and where the real ones are."""

import os
import tracemalloc
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genpipe import registry
from genpipe.interfaces.sources import Source

MOST_BYTES, MOST_SEC = 100 * 2**20, 10.0
"""The largest file that is allowed in an archive and what its reader needs, and far more time than that takes."""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENPIPE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """A file of the folder that GENPIPE_TEST_DATA names; the test is skipped where it is missing."""
    folder = Path(os.environ.get("GENPIPE_TEST_DATA") or Path(__file__).parents[3] / "shared/data")

    def find(name: str) -> Path:
        if not (folder / name).exists():
            pytest.skip(f"{folder / name} is not there; GENPIPE_TEST_DATA names another folder")
        return folder / name

    return find


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., Source]:
    """Builds a source by its name."""

    def build(name: str, **knobs: Any) -> Source:
        kind = registry.load("data", name)
        return kind(kind.Config(**knobs), tmp_path)

    return build


def _picture(seed: int, size: int = 8, channels: int = 3, kind: str = "PNG") -> bytes:
    shape = (size, size, channels) if channels > 1 else (size, size)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """A picture file of noise, another for each seed."""
    return _picture


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """24 different pictures, twelve in each of the folders "b" and "a", and a file that is none."""
    folder = tmp_path / "pictures"
    for number in range(24):
        path = folder / "ba"[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_picture(number))
    (folder / "README.txt").write_text("not a picture")
    return folder


@pytest.fixture
def cheap_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets processes be started at once, however little there is to do."""
    from genpipe.dataset import working

    monkeypatch.setattr(working, "ALONE_SEC", 0.0)


@pytest.fixture
def measured() -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """Does what it is given, holds that to bounds of time and memory, and gives its outcome."""
    tracemalloc.start()

    def run(do: Callable[[], Any]) -> Any:
        tracemalloc.reset_peak()
        before, begun = tracemalloc.get_traced_memory()[0], monotonic()
        try:
            return do()
        finally:
            assert tracemalloc.get_traced_memory()[1] - before < MOST_BYTES
            assert monotonic() - begun < MOST_SEC

    yield run
    tracemalloc.stop()
