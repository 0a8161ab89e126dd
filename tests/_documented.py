"""Runs the lines that the documentation shows, one after the other: JSON of them in, a line of JSON out for each.

What is heavy is imported here once. Commands of genpipe and DVC, the stages that DVC starts, and scripts are forks of
this process, which differ from processes of their own only in what is imported already. Bash runs all else.
"""

import json
import os
import re
import runpy
import shlex
import signal
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import dvc.cli
import dvc.stage.run
from dvc.stage.exceptions import StageCmdFailedError

import genpipe.running.stages
from genpipe.cli import main
from genpipe.running.process import fast_exit
from genpipe.stages import entry

HEAVY = """
    torch._dynamo mlflow.pyfunc pandas matplotlib.pyplot networkx pyparsing rich.console tabulate dvc.cli.parser
    dvc.repo.datasets dvc.repo.diff dvc.repo.experiments.run dvc.repo.experiments.show dvc.repo.plots dvc.repo.reproduce
    genpipe.cli.app genpipe.evaluation.ad_hoc genpipe.evaluation.scoring genpipe.project.new_experiment
    genpipe.reporting.page genpipe.sampling.latent genpipe.testing genpipe.tracking.store genpipe.training.experiment
"""
"""What most of the programs import sooner or later."""
COMMAND_SEC = 300
FORKED = re.compile(r"(genpipe|dvc|python \S+\.py)( [^&]*)?")
CHANGES_THE_SHELL = ("cd ", "export ", "source ")


def forked(words: list[str], log: IO[bytes] | None = None) -> int:
    """The exit status of a fork that runs a Python program and writes into the log."""
    sys.stdout.flush()
    sys.stderr.flush()
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        signal.alarm(COMMAND_SEC)
        genpipe.BEGAN_NS = genpipe.running.stages.BEGAN_NS = time.time_ns()
        for stream in (1, 2) if log else ():
            os.dup2(log.fileno(), stream)  # type: ignore[union-attr]
        status = called(words) or 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # a traceback is a fault of the documentation or of the program, and is told
        traceback.print_exc()
    finally:
        fast_exit(status)


def called(words: list[str]) -> int | None:
    """Does what a Python program does: one that is installed, or a script."""
    sys.argv = words
    if words[0] == "dvc":
        return int(dvc.cli.main(words[1:]))
    if words[0] == "genpipe":
        main.main()
    if words[0] == "genpipe-stage":
        entry.main()
    sys.argv = words[1:]
    sys.path.insert(0, str(Path(words[1]).parent))
    runpy.run_path(words[1], run_name="__main__")
    return 0


def stage(executable: str, command: str, env: dict[str, str], cwd: str, **_: Any) -> None:
    """Runs the command of a stage for DVC, in its place."""
    before = os.environ.copy()
    os.environ.update(env)
    os.chdir(cwd)
    status = forked(shlex.split(command))
    os.environ.clear()
    os.environ.update(before)
    if status:
        raise StageCmdFailedError(command, status)


def change_shell(line: str, log: IO[bytes]) -> int:
    """Takes over the folder and the environment in which a line leaves the shell."""
    done = subprocess.run(["bash", "-ec", f"{line}\npwd\nenv --null"], stdout=subprocess.PIPE, stderr=log, check=False)
    if not done.returncode:
        folder, _, variables = done.stdout.decode().partition("\n")
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(one.split("=", 1) for one in variables.rstrip("\0").split("\0"))
    return done.returncode


def run(line: str, log: IO[bytes]) -> int:
    """The exit status of a line."""
    if line.startswith(CHANGES_THE_SHELL):
        return change_shell(line, log)
    if FORKED.fullmatch(line):
        return forked(shlex.split(line), log)
    shell = subprocess.Popen(["bash", "-ec", line], stdout=log, stderr=log, start_new_session=True)
    started.append(shell.pid)
    return shell.wait(COMMAND_SEC)


def end_block() -> None:
    """Stops what lines have left running, and forgets what the shell was told."""
    for group in started:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGTERM)
    started.clear()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)


if __name__ == "__main__":
    dvc.stage.run._run = stage
    for name in HEAVY.split():
        import_module(name)
    started: list[int] = []
    folder, environment = Path.cwd(), dict(os.environ)
    for line in json.load(sys.stdin):
        with TemporaryFile() as log:
            status = run(line, log) if line else end_block()
            log.seek(0)
            print(json.dumps([status or 0, log.read().decode()]), flush=True)
