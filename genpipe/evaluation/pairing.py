"""Pairs of images from two sets, matched by file names or by row."""

import numpy as np
from jaxtyping import Int

from genpipe.dataset.natural_order import Names, natural_order
from genpipe.dataset.pairing import partners, without_partner
from genpipe.errors import UsageError


def paired(
    fake: tuple[str, int, Names | None], real: tuple[str, int, Names | None]
) -> tuple[Int[np.ndarray, "n"], str]:
    """Returns the row of each real image's partner among the fake ones, and how they were paired.

    Of each set what it is called, how many images it has, and their names, if they have any. Raises UsageError if an
    image has no partner.
    """
    (one, n, names), (other, m, others) = fake, real
    if names is not None and others is not None:
        return _by_name(one, names, other, others), "by name"
    if n != m:
        raise UsageError(
            f"pairs are compared, and {one} has {n:,} images, {other} {m:,}. Give equally many, or files "
            "with the same names."
        )
    if names is None and others is None:
        return np.arange(n), "by row"
    named, rows = (one, np.array(natural_order(names))) if names is not None else (other, _places(others or ()))
    return rows, f"row by row, {named} in the natural order of its names"


def _by_name(one: str, names: Names, other: str, others: Names) -> Int[np.ndarray, "n"]:
    """The rows of `names` in the order of `others`."""
    rows = partners(names, others)
    if rows is None:
        raise UsageError(
            f"pairs are compared, and every one needs a partner of its own, of the same name (as 7.png is of 007.jpg). "
            f"Alone are {without_partner(one, names, other, others)}. Rename or remove them."
        )
    return rows


def _places(names: Names) -> Int[np.ndarray, "n"]:
    """The place of each row in the natural order of names."""
    return np.argsort(natural_order(names))
