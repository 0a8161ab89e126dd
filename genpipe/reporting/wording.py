"""Text for figures and names, on the page and in Markdown."""

import re
from collections.abc import Iterable
from html import escape
from math import floor, log10

MOST_DECIMALS = 6
SHOWN_HASH = 12
MISSING = "–"
_TINY = 1e-4
_WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def decimals(values: Iterable[int | float]) -> int:
    """The decimals that show four digits of the largest value and two of the smallest, without trailing zeros."""
    sizes = [abs(v) for v in values if v]
    if not sizes or all(float(v).is_integer() for v in sizes):
        return 0
    most = min(MOST_DECIMALS, max(0, 3 - floor(log10(max(sizes))), 1 - floor(log10(min(sizes)))))
    return next(n for n in range(most + 1) if all(round(v, n) == round(v, most) for v in sizes))


def number(value: int | float | None, places: int | None = None) -> str:
    """Returns a figure with separated thousands; without `places`, with as many decimals as it needs."""
    if value is None:
        return MISSING
    tiny = places is None and 0 < abs(value) < _TINY
    text = f"{value:.3g}" if tiny else f"{value:,.{decimals([value]) if places is None else places}f}"
    return text.replace("-", "−")


def count(n: int, thing: str) -> str:
    """Returns a count in words: two experiments, 20 experiments, one experiment."""
    amount = _WORDS[n] if n < len(_WORDS) else f"{n:,}"
    return f"{amount} {thing if n == 1 else thing + 's'}"


def joined(parts: Iterable[str]) -> str:
    """Returns "A, B and C"."""
    *head, last = list(parts) or [""]
    return f"{', '.join(head)} and {last}" if head else last


def capital(sentence: str) -> str:
    """Returns the sentence with a capital first letter."""
    return sentence[:1].upper() + sentence[1:]


def words(key: str) -> str:
    """Returns a key as words: `nearest_neighbors` as "nearest neighbors", a hash as "SHA-256"."""
    return key.replace("_sha256", " SHA-256").replace("_", " ")


def fact(key: str, value: object) -> str:
    """Returns a recorded fact as text: hashes shortened, numbers with separators."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value) if "seed" in key else number(value)
    return str(value)[:SHOWN_HASH] if "sha256" in key or key == "commit" else str(value)


def markdown(text: object) -> str:
    """Returns text with its Markdown characters escaped."""
    return re.sub(r"([\\`*_\[\]|#~$])", r"\\\1", escape(str(text), quote=False)).replace("\n", " ")
