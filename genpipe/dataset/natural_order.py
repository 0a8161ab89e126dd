"""Natural order of names: 2.png before 10.png."""

import re
import unicodedata
from collections.abc import Sequence

Names = Sequence[str]
"""Paths with "/", one of each image."""


def natural_order(names: Names) -> list[int]:
    """Returns the rows of names, sorted folder by folder: 2.png before 10.png, and 9/1.png before 10/1.png."""
    return sorted(
        range(len(names)), key=lambda row: ([natural_key(part) for part in names[row].split("/")], names[row])
    )


def normalized(name: str) -> str:
    """Returns a name with each letter as one character."""
    return unicodedata.normalize("NFC", name)


def natural_key(part: str) -> tuple[tuple[int, int, str], ...]:
    """Returns a sort key that compares the numbers in a name."""
    pieces = re.findall(r"0*([0-9]+)|([^0-9]+)", part)  # by length, then digits: a number of any size
    return tuple((1, 0, normalized(text)) if text else (0, len(digits), digits) for digits, text in pieces)
