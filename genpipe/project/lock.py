"""One change of a project at a time."""

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from genpipe import paths
from genpipe.config.project import Project
from genpipe.errors import ExistsError, shortened
from genpipe.files import read_json, write_json
from genpipe.project.journal import Journal, pending, recover
from genpipe.project.plan import Plan

WAIT_SEC = 120.0
"""The time that a command waits for another."""


def carry_out(root: Path, planned: Callable[[Project], Plan], *, dry_run: bool = False) -> Plan:
    """Returns a function's plan for the project, carried out under the lock, or only verified."""
    if dry_run:
        plan = planned(Project(root))
        plan.verify()
        return plan
    with changing(root):
        plan = planned(Project(root))
        plan.write(command())
    return plan


@contextmanager
def changing(root: Path, *, keep: bool = False) -> Iterator[None]:
    """Locks the project against other changes; an interrupted change is undone first.

    If files have been edited since, `keep` leaves them as they are. The lock goes with its process, however that ends.
    Raises ExistsError if another process holds it for long, or the edited files stand in the way.
    """
    private = paths.private(root)
    private.mkdir(exist_ok=True)
    holder = private / "changing.json"
    try:
        lock = FileLock(private / "changing.lock").acquire(timeout=WAIT_SEC)
    except Timeout:
        raise ExistsError(f"{_held(holder)} It was waited for {WAIT_SEC:g} s: try again when it has ended.") from None
    with lock:
        if keep and (found := pending(root)) and not found.done and found.edited(root):
            found.keep(root)
        recover(root)
        since = datetime.now().isoformat(" ", "seconds")
        write_json(holder, {"pid": os.getpid(), "command": command(), "since": since})
        try:
            yield
        finally:
            holder.unlink(missing_ok=True)


def interrupted(root: Path) -> Journal | None:
    """Returns the unfinished change of a killed command."""
    if (found := pending(root)) is None:
        return None
    try:
        with FileLock(paths.private(root) / "changing.lock").acquire(timeout=0):
            return found
    except Timeout:
        return None


def command() -> str:
    """Returns the command line as typed."""
    return shortened(shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]))


def _held(holder: Path) -> str:
    """Who changes the project, in words."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        by = read_json(holder)
        return f"`{by['command']}` (process {by['pid']}, since {by['since']}) is changing the project."
    return "Another command is changing the project."
