"""How a stage ends when somebody asks it to: by a signal, or by ending DVC, which started it."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SHELLS = {"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh"}
_POLL_SEC = 0.5


@contextmanager
def signals() -> Iterator[Callable[[], int]]:
    """Gives, while it is entered, which of SIGINT and SIGTERM has come, or 0; a second one ends the program at once.

    One that came too late to be asked for is obeyed at the end.
    """
    came = 0

    def note(number: int, _: FrameType | None) -> None:
        nonlocal came
        came = number
        for each, handler in usual.items():
            signal.signal(each, handler)
        os.write(2, b"\nstopping after this step; once more stops at once.\n")  # print must not be called from here

    heard = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is not signal.SIG_IGN]  # as nohup does
    usual = {number: signal.signal(number, note) for number in heard}
    try:
        yield lambda: came
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
    if came:
        signal.raise_signal(came)


def end_with_dvc() -> None:
    """Lets this process ask itself to stop (SIGTERM) when the DVC that runs it as a stage is gone, killed perhaps.

    On Linux and macOS; elsewhere, and outside of DVC, nothing is done.
    """
    if "DVC_STAGE" in os.environ and hasattr(os, "getsid"):
        threading.Thread(target=_follow, args=(_above(),), daemon=True, name="end-with-dvc").start()


def _follow(first: tuple[int, ...]) -> None:
    while _above() == first and not _adopted(first[-1]):
        time.sleep(_POLL_SEC)
    os.kill(os.getpid(), signal.SIGTERM)


def _above() -> tuple[int, ...]:
    """The processes that wait for this one: the parent and, as long as that is a shell, the one above; DVC is last."""
    import psutil

    line = [os.getppid()]
    try:
        while (shell := psutil.Process(line[-1])).name() in _SHELLS:
            line.append(shell.ppid())
    except psutil.Error:
        pass
    return tuple(line)


def _adopted(above: int) -> bool:
    """Whether DVC was gone before anybody looked: whoever adopts what it left is of another session."""
    try:
        return os.getsid(above) != os.getsid(0)
    except OSError:
        return True
