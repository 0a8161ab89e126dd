"""Pairs of images from two sets, matched by file names or by row."""

from collections import Counter
from collections.abc import Callable, Hashable
from pathlib import PurePosixPath

import numpy as np
from jaxtyping import Int

from genpipe.dataset.natural_order import Names, natural_key, natural_order, normalized
from genpipe.errors import UsageError

_SHOWN = 5
"""The number of names without a partner to show for each set."""


def paired(
    fake: tuple[str, int, Names | None], real: tuple[str, int, Names | None]
) -> tuple[Int[np.ndarray, "n"], str]:
    """Returns the row of each real image's partner among the fake ones, and how they were paired.

    Of each set what it is called, how many images it has, and their names, if they have any. Raises UsageError if an
    image has no partner.
    """
    (one, n, names), (other, m, others) = fake, real
    if names is not None and others is not None:
        return _by_name(one, below_common(names), other, below_common(others)), "by name"
    if n != m:
        raise UsageError(
            f"pairs are compared, and {one} has {n:,} images, {other} {m:,}. Give equally many, or files "
            "with the same names."
        )
    if names is None and others is None:
        return np.arange(n), "by row"
    named, rows = (one, np.array(natural_order(names))) if names is not None else (other, _places(others or ()))
    return rows, f"row by row, {named} in the natural order of its names"


def below_common(names: Names) -> list[str]:
    """Returns the names relative to their common folder."""
    parts = [name.split("/") for name in names]
    while parts and all(len(path) > 1 for path in parts) and len({path[0] for path in parts}) == 1:
        parts = [path[1:] for path in parts]
    return ["/".join(path) for path in parts]


def _by_name(one: str, names: list[str], other: str, others: list[str]) -> Int[np.ndarray, "n"]:
    """The rows of `names` in the order of `others`, by the first way of reading names that leaves none over."""
    for read in _READINGS:
        rows, wanted = {read(name): row for row, name in enumerate(names)}, [read(name) for name in others]
        if len(rows) == len(names) == len(others) and rows.keys() == set(wanted):
            return np.array([rows[name] for name in wanted])
    alone = [_alone(names, others), _alone(others, names)]
    told = " and ".join(f"{_some(left)} of {what}" for what, left in zip((one, other), alone, strict=True) if left)
    raise UsageError(
        f"pairs are compared, and every one needs a partner of its own, of the same name (as 7.png is of 007.jpg). "
        f"Alone are {told}. Rename or remove them."
    )


def _alone(names: list[str], others: list[str]) -> list[str]:
    """The names that have no partner, or share it with another."""
    read = _READINGS[-1]
    mine, theirs = Counter(map(read, names)), Counter(map(read, others))
    return [names[row] for row in natural_order(names) if not mine[read(names[row])] == theirs[read(names[row])] == 1]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _places(names: Names) -> Int[np.ndarray, "n"]:
    """The place of each row in the natural order of names."""
    return np.argsort(natural_order(names))


def _without_suffix(name: str) -> str:
    return PurePosixPath(normalized(name)).with_suffix("").as_posix()


def _by_number(name: str) -> Hashable:
    return tuple(natural_key(part) for part in _without_suffix(name).split("/"))


_READINGS: tuple[Callable[[str], Hashable], ...] = (normalized, _without_suffix, _by_number)
"""The parts of a name that have to match, from all of it to the least."""
