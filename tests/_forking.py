"""Starts programs that are forks of this process, which has imported what takes seconds: PyTorch, MLflow, DVC.

A fork differs from a process of its own in what is imported already. The stages that DVC starts are forks, too.
As a program, it reads what to do from a `Forks` of `_forks.py`, and each fork imports the genpipe of its project.
"""

import json
import os
import runpy
import shlex
import shutil
import signal
import sys
import time
import traceback
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import IO, Any, NoReturn

import dvc.cli
import dvc.stage.run
from dvc.stage.exceptions import StageCmdFailedError

HEAVY = """
    torch._dynamo mlflow.pyfunc pandas matplotlib.pyplot networkx pyparsing rich.console tabulate dvc.cli.parser
    dvc.repo.datasets dvc.repo.diff dvc.repo.experiments.run dvc.repo.experiments.show dvc.repo.plots dvc.repo.reproduce
    genpipe.cli.app genpipe.evaluation.ad_hoc genpipe.evaluation.scoring genpipe.project.new_experiment
    genpipe.reporting.page genpipe.sampling.latent genpipe.testing genpipe.tracking.store genpipe.training.experiment
"""
"""What most of the programs import sooner or later."""
COMMAND_SEC = 300


def prepare() -> None:
    """Imports what is heavy, and lets DVC fork."""
    dvc.stage.run._run = stage
    for name in HEAVY.split():
        import_module(name)


def forked(words: list[str], log: IO[bytes] | None = None) -> int:
    """The exit status of a fork that runs a Python program and writes into the log."""
    sys.stdout.flush()
    sys.stderr.flush()
    if not (child := os.fork()):
        become(words, log)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def become(words: list[str], log: IO[bytes] | None = None) -> NoReturn:
    """Makes this process a Python program."""
    import genpipe.running.stages
    from genpipe.running.process import fast_exit

    status = 1
    try:
        signal.alarm(COMMAND_SEC)
        genpipe.BEGAN_NS = genpipe.running.stages.BEGAN_NS = time.time_ns()
        for stream in (1, 2) if log else ():
            os.dup2(log.fileno(), stream)  # type: ignore[union-attr]
        _call(words)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # a traceback is a fault of the program, and is told
        traceback.print_exc()
    finally:
        fast_exit(status)


def _call(words: list[str]) -> None:
    """Does what a Python program does: one that is installed, or a script."""
    sys.argv = words[1:] if words[0] == "python" else [str(shutil.which(words[0])), *words[1:]]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    runpy.run_path(sys.argv[0], run_name="__main__")


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


def forget_genpipe() -> None:
    """Leaves what genpipe has imported, but not genpipe itself."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "genpipe"]:
        del sys.modules[name]


def start(words: list[str], folder: str, environment: dict[str, str], log: str) -> int:
    """The id of a fork that runs a program in a process group of its own, as a terminal runs it."""
    if child := os.fork():
        return child
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = [place for place in environment.get("PYTHONPATH", "").split(os.pathsep) if place]
    invalidate_caches()
    with Path(log).open("ab") as written:
        become(words, written)


def status(process: int, wait: bool) -> int | None:
    """How a fork ended, None if it has not."""
    ended, how = os.waitpid(process, 0 if wait else os.WNOHANG)
    return os.waitstatus_to_exitcode(how) if ended else None


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    prepare()
    forget_genpipe()
    for line in sys.stdin:
        name, arguments = json.loads(line)
        print(json.dumps({"start": start, "status": status}[name](*arguments)), file=answers, flush=True)
