import pickle
import random
from pathlib import Path

import numpy as np
import pytest
import torch

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


def test_a_half_written_one_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.write(1, {"step": 1})

    def fail(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="No space"):
        checkpoints.write(2, {"step": 2})
    assert checkpoints.newest()["step"] == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_loading_runs_no_code(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.write(1, {"evil": Path("/")})
    with pytest.raises(pickle.UnpicklingError):
        checkpoints.newest()


def test_random_generators_go_on_where_they_were() -> None:
    states = random_states()
    first = (torch.rand(3), np.random.rand(3), random.random())
    restore_random_states(states)
    again = (torch.rand(3), np.random.rand(3), random.random())
    assert torch.equal(first[0], again[0])
    assert (first[1] == again[1]).all()
    assert first[2] == again[2]
