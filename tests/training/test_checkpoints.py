import errno
import os
import random
import stat
from pathlib import Path

import numpy as np
import pytest
import torch

from genpipe.errors import CheckpointError
from genpipe.training.checkpoints import Checkpoints, random_states, restore_random_states


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "x")
    for step in (1, 2, 3):
        checkpoints.write(step, {"step": step, "w": torch.full((3,), float(step))})
    assert [f.name[:14] for f in checkpoints.files()] == ["step-000000003", "step-000000002"]
    assert checkpoints.newest()["step"] == 3
    checkpoints.clear()
    assert checkpoints.newest() is None


def test_a_damaged_one_is_named_and_the_one_before_it_is_used(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        checkpoints.write(step, {"step": step})
    newest = checkpoints.files()[0]
    newest.write_bytes(newest.read_bytes()[:-10])
    with pytest.warns(UserWarning, match=newest.name):
        assert checkpoints.newest()["step"] == 1


def test_a_full_disk_leaves_the_one_before_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.write(1, {"step": 1})
    opened = Path.open
    full = lambda path, *how: opened(Path("/dev/full") if path.suffix == ".tmp" else path, *how)  # noqa: E731
    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError, match="No space left") as caught:
        checkpoints.write(2, {"step": 2, "weights": torch.zeros(1_000_000)})
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path))
    monkeypatch.undo()
    assert checkpoints.newest()["step"] == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_kill_left_half_written_does_not_count_and_is_cleared_away(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    whole = checkpoints.write(1, {"step": 1})
    (tmp_path / Checkpoints.UNFINISHED).write_bytes(b"half")
    assert checkpoints.newest()["step"] == 1
    assert list(tmp_path.iterdir()) == [whole]


def test_a_checkpoint_has_its_name_only_once_it_and_its_folder_are_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[tuple[bool, list[str]]] = []

    def fsync(descriptor: int) -> None:
        seen = sorted(file.name[:4] for file in tmp_path.iterdir())
        flushed.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), seen))

    monkeypatch.setattr(os, "fsync", fsync)
    Checkpoints(tmp_path).write(1, {"step": 1})
    assert flushed == [(False, [Checkpoints.UNFINISHED[:4]]), (True, ["step"])]


def test_loading_runs_no_code(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.write(1, {"evil": Path("/")})
    with (
        pytest.warns(UserWarning, match=r"something else than numbers \(UnpicklingError\)"),
        pytest.raises(CheckpointError, match=f"no checkpoint in {tmp_path} can be used.*Delete the folder"),
    ):
        checkpoints.newest()


def test_random_generators_go_on_where_they_were() -> None:
    states = random_states()
    first = (torch.rand(3), np.random.rand(3), random.random())
    restore_random_states(states)
    again = (torch.rand(3), np.random.rand(3), random.random())
    assert torch.equal(first[0], again[0])
    assert (first[1] == again[1]).all()
    assert first[2] == again[2]
