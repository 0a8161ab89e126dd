"""Messages of commands, as a person reads them who has called a function."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from genpipe.errors import GenpipeError, ModelWarning

_FLAG = re.compile(r"--skip-broken")
_OPTION = re.compile(r"--(size|channels)(?: (?=\d))?")


@contextmanager
def in_python() -> Iterator[None]:
    """Names options as arguments in what is raised: "--size 8" is "size=8"."""
    try:
        yield
    except GenpipeError as error:
        told = _FLAG.sub("skip_broken=True", str(error))
        error.args = (_OPTION.sub(r"\1=", told),)
        raise


def warn(text: str) -> None:
    """Warns whoever called the function that called this."""
    warnings.warn(text, ModelWarning, stacklevel=3)
