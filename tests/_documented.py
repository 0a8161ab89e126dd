"""Runs the lines that the documentation shows, one after the other: JSON of them in, a line of JSON out for each.

Commands of genpipe and DVC, the stages that DVC starts, and scripts are forks of this process; Bash runs all else.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from _forking import COMMAND_SEC, forked, prepare

FORKED = re.compile(r"(genpipe|dvc|python \S+\.py)( [^&]*)?")
CHANGES_THE_SHELL = ("cd ", "export ", "source ")


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
    prepare()
    started: list[int] = []
    folder, environment = Path.cwd(), dict(os.environ)
    for line in json.load(sys.stdin):
        with TemporaryFile() as log:
            status = run(line, log) if line else end_block()
            log.seek(0)
            print(json.dumps([status or 0, log.read().decode()]), flush=True)
