import os
from pathlib import Path

import numpy as np
import pytest

from genpipe import files
from genpipe.config import document
from genpipe.dataset.decoding import Broken, decoded
from genpipe.errors import ConfigError, DataError, Locked
from genpipe.project.journal import read


def test_a_file_that_fails_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.atomic_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_fails_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    with files.atomic_directory(folder) as temporary:
        (temporary / "a").write_text("old")
    with pytest.raises(RuntimeError), files.atomic_directory(folder) as temporary:
        (temporary / "a").write_text("half")
        raise RuntimeError
    assert (folder / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]


def test_json_refuses_what_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a.json", {"fid": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_lock_that_is_held_is_waited_for_no_longer_than_allowed(tmp_path: Path) -> None:
    lock = tmp_path / "below" / "lock"
    told = pytest.raises(Locked, match=r"another process holds .*lock \(to look\), for 0 s at least\. Wait until")
    with files.locked(lock, 1.0, "to look"), told, files.locked(lock, 0.0, "to look"):
        pass
    with files.locked(lock, 0.0, "to look"):
        assert lock.exists()


@pytest.mark.timeout(20)
def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("1")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        with files.opened(tmp_path / name) as file:
            assert file.read() == b"1"
    for name, why in (("pipe", "it is no regular file"), (".", "it is a folder"), ("none", "No such file")):
        with pytest.raises(OSError, match=why):
            files.opened(tmp_path / name)
    with pytest.raises(OSError, match="Too many levels"):
        files.opened(tmp_path / "link", follow=False)
    with pytest.raises(OSError, match="it is no regular file"):
        files.opened(Path("/dev/null"))


@pytest.mark.timeout(20)
def test_nothing_that_reads_waits_for_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(path := tmp_path / "x.png")
    for reads, error in (
        (files.read_json, OSError),
        (files.read_arrays, DataError),
        (document.read, ConfigError),
        (read, ConfigError),
        (lambda path: decoded(path, 3), Broken),
    ):
        with pytest.raises(error, match="no regular file"):
            reads(path)


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    made = {"a": np.arange(6.0).reshape(2, 3), "b": np.asfortranarray(np.arange(6).reshape(2, 3))}
    made |= {"c": np.zeros((0, 3)), "d": np.array(1.5)}
    files.write_arrays(tmp_path / "x.npz", **made)
    found = files.read_arrays(tmp_path / "x.npz")
    assert list(found) == list(made)
    for name, array in made.items():
        assert (found[name].dtype, found[name].tolist()) == (array.dtype, array.tolist())
    found["a"] += 1
    content = (tmp_path / "x.npz").read_bytes()
    for spoilt in (content[:200], b"", b"PK\3\4", content.replace(b"(2, 3)", b"(2, 4)")):
        (tmp_path / "x.npz").write_bytes(spoilt)
        with pytest.raises(DataError, match=r"cannot be read as \.npz or \.npy.*Delete it.* and run `dvc"):
            files.read_arrays(tmp_path / "x.npz")
    with pytest.raises(DataError, match="does not exist"):
        files.read_arrays(tmp_path / "y.npz")


@pytest.mark.parametrize("name", ["", ".", "below", "below/.."])
def test_a_folder_does_not_become_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IsADirectoryError):
        files.write_text(Path(name), "x")
    assert list(tmp_path.iterdir()) == [tmp_path / "below"]
