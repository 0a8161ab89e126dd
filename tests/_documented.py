"""Runs what the documentation shows, in the current folder: JSON of shell lines in, of outcomes out.

Everything that is heavy is imported here once. The commands of genpipe and DVC, the stages that DVC starts and scripts
are forks of this process, which differ from processes of their own in nothing but what they import.
"""

import atexit
import gc
import json
import os
import re
import runpy
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import dvc.cli
import dvc.repo.experiments.run
import dvc.stage.run
import mlflow.pyfunc  # noqa: F401
import torch._dynamo  # noqa: F401
from dvc.stage.exceptions import StageCmdFailedError

import genpipe.evaluation
import genpipe.reporting
import genpipe.training.experiment  # noqa: F401
from genpipe import cli
from genpipe.running import leave

COMMAND_SEC, SERVER_SEC = 300, 120
SERVERS = ("mlflow models serve", "genpipe ui")
SHELL = ("export ", "source ")
"""How lines begin that change the shell for the lines of their block that follow."""


def forked(work: Callable[[], Any], log: IO[bytes] | None = None) -> int:
    """The exit status of work that is done in a fork, which writes into the log.

    What the fork has imported this process imports, too, for the next ones to find it there.
    """
    gc.freeze()
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        with os.fdopen(reading) as told:
            _import(told.read().split())
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(reading)
    atexit.register(lambda: (os.write(writing, "\n".join([*sys.modules, ""]).encode()), os.close(writing)))
    status = 1
    try:
        signal.alarm(COMMAND_SEC)
        for stream in (1, 2) if log else ():
            os.dup2(log.fileno(), stream)  # type: ignore[union-attr]
        status = work() or 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # a traceback is a fault of the documentation or of the program, and is told
        traceback.print_exc()
    finally:
        leave(status)


def _import(names: list[str]) -> None:
    for name in names:
        if name not in sys.modules and not name.startswith(("stages", "__")):
            with suppress(Exception):  # some modules are made by others, and cannot be imported by their names
                import_module(name)


def called(words: list[str]) -> Any:
    """Does what a command of genpipe or DVC, a stage or a script does."""
    if words[0] == "dvc":
        return dvc.cli.main(words[1:])
    if words[0] == "genpipe":
        sys.argv = words
        return cli.run()
    if words[1] == "-m":
        sys.argv = words[2:]
        return runpy.run_module(words[2], run_name="__main__", alter_sys=True) and None
    return runpy.run_path(words[1], run_name="__main__") and None


def stage(executable: str, command: str, **_: Any) -> None:
    """Runs the command of a stage for DVC, in its place."""
    if status := forked(lambda: called(shlex.split(command))):
        raise StageCmdFailedError(command, status)


class Runner:
    """Runs lines, one after the other."""

    def __init__(self) -> None:
        self.shell: list[str] = []
        self.servers: list[subprocess.Popen[bytes]] = []

    def outcome(self, line: str) -> tuple[int, str]:
        """The exit status of a line, and what it said. An empty line ends a block."""
        if not line:
            self.end()
            return 0, ""
        if "runs:/RUN/" in line:
            line = line.replace("RUN", _a_run())
        with TemporaryFile() as log:
            status = self._run(line, log)
            log.seek(0)
            return status, log.read().decode()

    def end(self) -> None:
        """Stops what serves, and forgets what the shell was told."""
        for server in self.servers:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(SERVER_SEC)
        self.servers, self.shell = [], []

    def _run(self, line: str, log: IO[bytes]) -> int:
        if line.startswith(SHELL):
            self.shell.append(line)
        if line.startswith(SERVERS):
            return self._serve(line, log)
        words = shlex.split(line)
        if words[0] in ("genpipe", "dvc") or line.startswith("python -m stages.") or words[-1].endswith(".py"):
            return forked(lambda: called(words), log)
        script = "\n".join([*self.shell, line] if line not in self.shell else self.shell)
        done = subprocess.run(["bash", "-ec", script], stdout=log, stderr=log, timeout=COMMAND_SEC, check=False)
        return done.returncode

    def _serve(self, line: str, log: IO[bytes]) -> int:
        """Starts a server and waits until it answers."""
        server = subprocess.Popen(
            ["bash", "-ec", "\n".join([*self.shell, f"exec {line}"])], stdout=log, stderr=log, start_new_session=True
        )
        self.servers.append(server)
        port = re.search(r"--port (\d+)", line)
        until = time.monotonic() + SERVER_SEC
        while server.poll() is None and time.monotonic() < until:
            if port and (answer := _answer(f"http://127.0.0.1:{port[1]}/")):
                log.write(answer)
                return 0
            time.sleep(0.2)
        return server.poll() or 1


def _answer(url: str) -> bytes:
    try:
        with urlopen(url, timeout=5) as answer:
            return bytes(answer.read())
    except HTTPError as error:
        return str(error).encode()
    except (URLError, OSError):
        return b""


def _a_run() -> str:
    """The id of the newest run of `vae`, as MLflow's pages show it."""
    with sqlite3.connect(Path("mlflow.db")) as store:
        newest = "SELECT run_uuid FROM runs WHERE name = 'vae' ORDER BY start_time DESC"
        return str(store.execute(newest).fetchone()[0])


if __name__ == "__main__":
    dvc.stage.run._run = stage
    runner = Runner()
    try:
        print(json.dumps([runner.outcome(line) for line in json.load(sys.stdin)]))
    finally:
        runner.end()
