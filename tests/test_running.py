import errno
import io
import json
import sqlite3
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import SafetensorError

from genpipe import paths
from genpipe.errors import DataError, ModelWarning
from genpipe.running import guarded
from genpipe.running.inputs import Inputs
from genpipe.running.progress import progress
from genpipe.running.stages import Facts, stage
from genpipe.training.moments import Moment


def raising(error: BaseException):
    def run(*_: object) -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (DataError("the set is broken."), 1, "error: the set is broken.\n"),
        (OSError(errno.ENOSPC, "No space left", "a.npy"), 1, "error: the disk is full (a.npy)"),
        (OSError(errno.EDQUOT, "Quota exceeded", "a.npy"), 1, "error: the disk is full (a.npy)"),
        (SafetensorError("I/O error: No space left on device (os error 28)"), 1, "error: the disk is full ("),
        (PermissionError(errno.EACCES, "Permission denied", "a.npy"), 1, "error: a.npy: Permission denied.\n"),
        (DataError("\x1b[31mred\u202e.png"), 1, "error: \\u001b[31mred\\u202e.png\n"),
        (DataError("a\udcff.png"), 1, "error: a\\udcff.png\n"),
        (KeyboardInterrupt(), 130, "stopped.\n"),
    ],
)
def test_a_person_s_mistake_is_one_message(capsys, error: BaseException, status: int, message: str) -> None:
    assert guarded(raising(error)) == status
    assert capsys.readouterr().err.startswith(message)


class Filling(io.BytesIO):
    """A file on a disk with room for 100 bytes, of which torch makes an error of its own."""

    def write(self, content: Any) -> int:
        if self.tell() + len(content) > 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(content)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is Linux's")
@pytest.mark.parametrize(
    "write",
    [
        lambda _: torch.save({"x": torch.zeros(10**5)}, Filling()),
        lambda path: np.save(path, np.zeros(10**5)),
        lambda path: pd.DataFrame({"x": range(10**5)}).to_csv(path),
    ],
    ids=["torch", "numpy", "pandas"],
)
def test_a_full_disk_is_one_message_whatever_a_library_makes_of_it(tmp_path: Path, capsys, write) -> None:
    (tmp_path / "file.npy").symlink_to("/dev/full")
    assert guarded(lambda: write(tmp_path / "file.npy")) == 1
    assert capsys.readouterr().err.startswith("error: the disk is full (")


def test_a_full_disk_of_a_database_is_one_message(tmp_path: Path, capsys) -> None:
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("pragma max_page_count = 2")
        database.execute("create table t (x)")
        assert guarded(lambda: database.execute("insert into t values (zeroblob(100000))")) == 1
    assert capsys.readouterr().err.startswith("error: the disk is full (")


def test_a_mistake_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        guarded(raising(ZeroDivisionError()))


def said(name: str, inputs: Inputs) -> Facts:
    yield {"said": name}


def test_a_stage_notes_its_time_and_facts(project: Path) -> None:
    assert stage("train", said, ["first"]) == 0
    timing = json.loads((project / paths.timing("train", "first")).read_text())
    assert timing["facts"] == {"said": "first"}
    assert timing["wall_sec"] >= 0


def test_a_stage_notes_what_is_warned_of_a_model_and_shows_it_too(project: Path) -> None:
    def run(*_: object) -> Facts:
        warnings.warn("of another kind", stacklevel=1)
        warnings.warn("much is beyond", ModelWarning, stacklevel=1)
        yield {"warnings": ["step 3: odd"]}

    with pytest.warns(ModelWarning, match="much is beyond"):
        assert stage("sample", run, ["first"]) == 0
    facts = json.loads((project / paths.timing("sample", "first")).read_text())["facts"]
    assert facts == {"warnings": ["step 3: odd", "much is beyond"]}


def test_a_stage_that_fails_notes_nothing(project: Path, capsys) -> None:
    assert stage("train", raising(DataError("no.")), ["first"]) == 1
    assert not (project / paths.TIMINGS).exists()
    assert stage("train", said, []) == 2
    assert "takes the name of what to run" in capsys.readouterr().err


def test_leaving_waits_for_threads_and_writes_what_is_printed() -> None:
    code = """
import atexit, threading, time
from genpipe.running import leave
def late():
    time.sleep(0.2)
    print("thread")
threading.Thread(target=late).start()
atexit.register(print, "registered")
print("said", end="; ")
leave(3)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "said; thread\nregistered\n", "")


def test_without_a_terminal_progress_is_a_few_lines(capsys) -> None:
    with progress("vae") as shown:
        for step in range(1, 101):
            shown(Moment(step, 100, {"step": float(step), "autoencoder/loss": 1.5, "autoencoder/kl": 2.0}, 1234.5))
    lines = capsys.readouterr().out.splitlines()
    assert 8 <= len(lines) <= 11
    assert lines[-1] == "vae: step 100/100  1,234 images/s  autoencoder 1.5"


def test_a_warning_of_a_stage_is_one_line(project: Path) -> None:
    code = """
import warnings
from genpipe.errors import ModelWarning
from genpipe.running import guarded
guarded(lambda: warnings.warn("much is \\x1b beyond", ModelWarning))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == "warning: much is \\u001b beyond\n"
