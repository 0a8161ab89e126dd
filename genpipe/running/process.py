"""Running the graph: what stages and commands share."""

import atexit
import gc
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import NoReturn

from genpipe.errors import GenpipeError, ModelWarning, Stopped, visible


def relax_gc() -> None:
    """Has Python look for garbage seldom, for imports make a million objects that stay.

    To look them over again and again takes 0.6 s of a stage that imports PyTorch and MLflow.
    """
    gc.set_threshold(100_000)


def fast_exit(status: int) -> NoReturn:
    """Ends the process without taking apart what is in memory, which with PyTorch there takes a second.

    Before that it does what Python does, as multiprocessing ends its processes: waits for threads, calls what is
    registered, writes what is still to be written.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def run_cli(run: Callable[[], object]) -> int:
    """Calls a function and gives an exit status; an error of a person's making becomes one message.

    So does a full disk, whatever the library that met it made of it; warnings of genpipe are one line each.
    """
    try:
        with _brief_warnings():
            run()
    except Stopped as stop:
        print(visible(str(stop)), file=sys.stderr)
        return stop.exit_status
    except KeyboardInterrupt:
        print("stopped.", file=sys.stderr)
        return 130
    except Exception as error:
        if (told := _in_words(error)) is None:
            raise
        print(f"error: {visible(told)}", file=sys.stderr)
        return error.exit_status if isinstance(error, GenpipeError) else 1
    return 0


@contextmanager
def _brief_warnings() -> Iterator[None]:
    """Shows what genpipe warns of without the line of code that does so."""
    usual = warnings.formatwarning

    def brief(message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None) -> str:
        own = issubclass(category, UserWarning) and Path(filename).is_relative_to(Path(__file__).parents[1])
        if own or issubclass(category, ModelWarning):
            return f"warning: {visible(str(message))}\n"
        return usual(message, category, filename, lineno, line)

    warnings.formatwarning = brief  # type: ignore[assignment]
    try:
        yield
    finally:
        warnings.formatwarning = usual


def _in_words(error: Exception) -> str | None:
    """What to say of an error that a person can do something about; None of any other."""
    if isinstance(error, GenpipeError):
        return str(error)
    if full := next(filter(_full_disk, _chain(error)), None):
        where = getattr(full, "filename", None) or Path.cwd()
        return f"the disk is full ({where}). Free some space and run again; what was there before is unharmed."
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error}."
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _full_disk(error: BaseException) -> bool:
    """Whether an error says that a disk or a quota is full; libraries that are no Python say it in their text alone."""
    if isinstance(error, OSError):
        return error.errno in (ENOSPC, EDQUOT)
    return any(told in str(error) for told in ("No space left on device", "database or disk is full"))
