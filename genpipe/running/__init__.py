"""Running the graph: what every stage of it shares."""

import atexit
import gc
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from errno import ENOSPC
from pathlib import Path
from typing import Any, NoReturn

from genpipe import paths
from genpipe.errors import GenpipeError, ModelWarning, Stopped, UsageError
from genpipe.files import write_json
from genpipe.running.stopping import end_with_dvc

Facts = Mapping[str, Any]


def stage(name: str, run: Callable[[str], Facts | None], arguments: list[str] | None = None) -> int:
    """Runs a stage for the key on the command line and notes how long it took; gives an exit status.

    What a person did wrong ends in one message and the error's exit status, not in a traceback.
    """
    end_with_dvc()
    return guarded(lambda: _timed(name, run, sys.argv[1:] if arguments is None else arguments))


def collect_seldom() -> None:
    """Has Python look for garbage seldom, for imports make a million objects that stay.

    To look them over again and again takes 0.6 s of a stage that imports PyTorch and MLflow.
    """
    gc.set_threshold(100_000)


def leave(status: int) -> NoReturn:
    """Ends the process without taking apart what is in memory, which with PyTorch there takes a second.

    Before that it does what Python does, as multiprocessing ends its processes: waits for threads, calls what is
    registered, writes what is still to be written.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def guarded(run: Callable[[], object]) -> int:
    """Calls a function and gives an exit status; an error of a person's making becomes one message."""
    try:
        run()
    except Stopped as stop:
        print(stop, file=sys.stderr)
        return stop.exit_status
    except GenpipeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    except OSError as error:
        print(f"error: {_in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped.", file=sys.stderr)
        return 130
    return 0


@contextmanager
def noted() -> Iterator[list[str]]:
    """The texts of all `ModelWarning`s while the block runs, each once; they are shown nevertheless."""
    found, show = list[str](), warnings.showwarning

    def note(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, ModelWarning):
            found.append(str(message))
        show(message, category, *where, **more)

    warnings.showwarning = note
    try:
        yield found
    finally:
        warnings.showwarning = show


def _timed(name: str, run: Callable[[str], Facts | None], arguments: list[str]) -> None:
    if len(arguments) != 1:
        raise UsageError(f"python -m stages.{name} takes one name, but {len(arguments)} are given: {arguments}.")
    start, key = time.perf_counter(), arguments[0]
    with noted() as warned:
        facts = dict(run(key) or {})
    if warned:
        facts["warnings"] = [*facts.get("warnings", []), *warned]
    timing = {"stage": name, "key": key, "wall_sec": time.perf_counter() - start, "facts": facts}
    write_json(paths.timing(name, key), timing)


def _in_words(error: OSError) -> str:
    if error.errno == ENOSPC:
        where = error.filename or Path.cwd()
        return f"the disk is full ({where}). Free some space and run again; what was there before is unharmed."
    return f"{error.filename}: {error.strerror}." if error.filename else f"{error}."
