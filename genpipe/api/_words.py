"""Messages of commands, reworded for callers of Python functions."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from genpipe.errors import GenpipeError, ModelWarning

_FLAG = re.compile(r"--(skip-broken|derive)")
_OPTION = re.compile(r"--(size|channels|masks|threshold)(?: (?=[\d(]))?")
_SIZES = re.compile(r"--size \d+(?:x\d+)?(?: or \d+(?:x\d+)?)*")


@contextmanager
def in_python() -> Iterator[None]:
    """Rewords options in raised errors as arguments: "--size 8" becomes "size=8", "--size 6x8" "size=(6, 8)"."""
    try:
        yield
    except GenpipeError as error:
        told = _FLAG.sub(lambda found: f"{found[1].replace('-', '_')}=True", str(error))
        told = _SIZES.sub(lambda found: re.sub(r"(\d+)x(\d+)", r"(\1, \2)", found[0]), told)
        error.args = (_OPTION.sub(r"\1=", told),)
        raise


def warn(text: str) -> None:
    """Warns with the stack level of the caller's caller."""
    warnings.warn(text, ModelWarning, stacklevel=3)
