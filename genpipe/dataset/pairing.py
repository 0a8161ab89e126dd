"""Pairs of images from two sets, matched by the names of their files."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from pathlib import PurePosixPath

import numpy as np
from jaxtyping import Int

from genpipe.dataset.natural_order import Names, natural_key, natural_order, normalized

_SHOWN = 5
"""The number of names without a partner to show for each set."""


def partners(names: Names, others: Names) -> Int[np.ndarray, "n"] | None:
    """Returns the rows of `names` in the order of `others`; None if an image has no partner of its own.

    The folder in which all of a set lies says nothing. Names are the same if all of them is, or all but the ending, or
    all but that and the zeros before a number: by the first reading that leaves none over.
    """
    mine, theirs = below_common(names), below_common(others)
    for read in _READINGS:
        rows, wanted = {read(name): row for row, name in enumerate(mine)}, [read(name) for name in theirs]
        if len(rows) == len(mine) == len(theirs) and rows.keys() == set(wanted):
            return np.array([rows[name] for name in wanted], np.int64)
    return None


def without_partner(one: str, names: Names, other: str, others: Names) -> str:
    """Returns which images of two sets have no partner: "a.png, b.png of ONE and c.png of OTHER"."""
    mine, theirs = below_common(names), below_common(others)
    alone = [_alone(mine, theirs), _alone(theirs, mine)]
    return " and ".join(f"{_some(left)} of {what}" for what, left in zip((one, other), alone, strict=True) if left)


def below_common(names: Names) -> list[str]:
    """Returns the names relative to their common folder."""
    parts = [name.split("/") for name in names]
    while parts and all(len(path) > 1 for path in parts) and len({path[0] for path in parts}) == 1:
        parts = [path[1:] for path in parts]
    return ["/".join(path) for path in parts]


def _alone(names: Sequence[str], others: Sequence[str]) -> list[str]:
    """The names that have no partner, or share it with another."""
    read = _READINGS[-1]
    mine, theirs = Counter(map(read, names)), Counter(map(read, others))
    return [names[row] for row in natural_order(names) if not mine[read(names[row])] == theirs[read(names[row])] == 1]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _without_suffix(name: str) -> str:
    return PurePosixPath(normalized(name)).with_suffix("").as_posix()


def _by_number(name: str) -> Hashable:
    return tuple(natural_key(part) for part in _without_suffix(name).split("/"))


_READINGS: tuple[Callable[[str], Hashable], ...] = (normalized, _without_suffix, _by_number)
"""The parts of a name that have to match, from all of it to the least."""
