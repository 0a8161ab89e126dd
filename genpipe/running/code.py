"""Code as a process reads it: once, when it imports it."""

import sys
from collections.abc import Iterable
from pathlib import Path


def is_code(path: str) -> bool:
    """Whether a file is read by being imported, and in no other way."""
    return path.endswith(".py")


def imported() -> frozenset[str]:
    """The files of all modules that this process has imported so far, as Python calls them."""
    found = (getattr(module, "__dict__", {}).get("__file__") for module in list(sys.modules.values()))
    return frozenset(file for file in found if file)


def among(path: Path, files: Iterable[str]) -> bool:
    """Whether a file is one of those that were imported, whatever links lead there."""
    return path.resolve() in {Path(file).resolve() for file in files if Path(file).name == path.name}


def imported_by_others() -> bool:
    """Whether this process has had others started by `multiprocessing`, which import code later than itself."""
    return any(name.startswith("multiprocessing.popen_") for name in sys.modules)
