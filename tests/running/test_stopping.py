"""Real signals, and a DVC that is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from genpipe.errors import Stopped
from genpipe.running.process import run_cli
from genpipe.running.stopping import signals

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted_and_the_usual_comes_back(number: int, capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Stopped), signals() as came:
        assert came() == 0
        signal.raise_signal(number)
        assert came() == number
        assert signal.getsignal(number) is before
        raise Stopped(1, 2, came(), kept=True)
    assert signal.getsignal(number) is before
    assert "once more stops at once" in capfd.readouterr().err


def test_the_second_stops_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), signals():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("it went on")


def test_one_that_comes_after_the_last_step_is_obeyed() -> None:
    with pytest.raises(KeyboardInterrupt), signals():
        signal.raise_signal(signal.SIGINT)


def test_what_was_ignored_stays_ignored() -> None:
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with signals() as came:
            signal.raise_signal(signal.SIGINT)
            assert came() == 0
    finally:
        signal.signal(signal.SIGINT, usual)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_exit_status_is_that_of_the_signal(number: int, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    def stop() -> None:
        raise Stopped(7, 10, number, kept=True)

    assert run_cli(stop) == status
    assert capsys.readouterr().err == "stopped after step 7 of 10. `dvc repro` goes on from step 7.\n"


STAGE = """\
import sys, time
from pathlib import Path
from genpipe.running.stopping import end_with_dvc
end_with_dvc()
Path(sys.argv[1]).touch()
time.sleep(100)
"""
DVC = "import subprocess, sys; subprocess.run(sys.argv[1:])"


@pytest.fixture
def family(tmp_path: Path) -> Iterator[list[psutil.Process]]:
    """Processes that must not outlive the test."""
    started: list[psutil.Process] = []
    yield started
    for process in started:
        if process.is_running():
            process.kill()


def alive(process: psutil.Process) -> bool:
    """Whether a process does anything still; one that nobody has waited for yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def staying(folder: Path) -> str:
    """A shell that waits for what it runs, as some do."""
    shell = folder / "ksh"
    shell.write_text('#!/bin/sh\n/bin/sh -c "$2"\nexit $?\n')
    shell.chmod(0o755)
    return str(shell)


@pytest.mark.parametrize("shell", ["/bin/sh", "staying", None])
def test_a_stage_does_not_outlive_dvc(tmp_path: Path, family: list[psutil.Process], shell: str | None) -> None:
    (tmp_path / "stage.py").write_text(STAGE)
    stage = [sys.executable, "stage.py", "ready"]
    command = [staying(tmp_path) if shell == "staying" else shell, "-c", " ".join(stage)] if shell else stage
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DVC_STAGE": "train@x"}
    dvc = subprocess.Popen([sys.executable, "-c", DVC, *command], cwd=tmp_path, env=environment, start_new_session=True)
    for _ in range(200):
        if (tmp_path / "ready").exists():
            break
        time.sleep(0.05)
    family += [psutil.Process(dvc.pid), *psutil.Process(dvc.pid).children(recursive=True)]
    running = [process for process in family if alive(process) and "stage.py" in process.cmdline()[1:2]]
    assert len(running) == 1
    time.sleep(1.5)
    assert running[0].is_running(), "it leaves DVC alone as long as it lives"
    dvc.kill()
    dvc.wait()
    _, left = psutil.wait_procs([process for process in running if alive(process)], timeout=10)
    assert not [process for process in left if alive(process)]


@pytest.mark.parametrize("form", ["exec {}", "{}; exit 1"], ids=["shell gone too", "shell left"])
def test_a_stage_that_starts_when_dvc_is_gone_ends(tmp_path: Path, family: list[psutil.Process], form: str) -> None:
    (tmp_path / "stage.py").write_text(STAGE)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DVC_STAGE": "train@x"}
    stage = form.format(f"{sys.executable} stage.py ready")
    line = f"/bin/sh -c 'sleep 1; {stage}' >/dev/null 2>&1 & echo $!"
    started = subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=tmp_path,
        env=environment,
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    family.append(psutil.Process(int(started.stdout)))
    family[0].wait(timeout=20)


def test_without_dvc_nothing_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    from genpipe.running.stopping import end_with_dvc

    monkeypatch.delenv("DVC_STAGE", raising=False)
    before = threading.active_count()
    end_with_dvc()
    assert threading.active_count() == before
