"""Output for terminals and for scripts."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import typer

from genpipe.errors import visible

_WIDE = 10_000
"""Columns of a table that goes to a file: nothing is cut."""


def say(text: str) -> None:
    """Prints a text; control characters, which file names can contain, are escaped."""
    typer.echo(visible(text))


def as_json(value: Any) -> None:
    """Prints a value for a script."""
    say(json.dumps(value, indent=2, ensure_ascii=False))


def remark(text: str) -> None:
    """Prints a note to stderr, apart from the result."""
    typer.echo(visible(text), err=True)


def table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints rows with one column per key; numbers have four digits."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    columns = list(dict.fromkeys(key for row in rows for key in row))
    shown = Table(box=None, pad_edge=False)
    for column in columns:
        shown.add_column(column, justify="right" if any(_is_figure(row.get(column)) for row in rows) else "left")
    for row in rows:
        shown.add_row(*(Text(visible(cell(row.get(column)))) for column in columns))
    console = Console()
    (console if console.is_terminal else Console(width=_WIDE)).print(shown)


def side_by_side(title: str, things: Mapping[str, Mapping[str, str]]) -> None:
    """Prints things as columns, with a row for each key; columns that do not fit the screen come below."""
    from rich.console import Console

    console, keys = Console(), list(next(iter(things.values())))
    left, waiting = [title, *keys], [[name, *(thing[key] for key in keys)] for name, thing in things.items()]
    while waiting:
        free = (console.width if console.is_terminal else _WIDE) - max(map(len, left))
        ends = accumulate(2 + max(map(len, column)) for column in waiting)
        fit = max(1, sum(end <= free for end in ends))
        lines(zip(left, *waiting[:fit], strict=True))
        say("")
        waiting = waiting[fit:]


def diff(text: str) -> None:
    """Prints a unified diff, colored on a terminal."""
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    for line in text.splitlines():
        console.print(visible(line), style=_style(line), markup=False, emoji=False)


def tree(rows: Sequence[tuple[Sequence[object], Any, str]]) -> None:
    """Prints values by their paths as YAML, each followed by a remark."""
    above: Sequence[object] = ()
    shown = []
    for path, value, remark in rows:
        common = next((i for i, (a, b) in enumerate(zip(above, path, strict=False)) if a != b), len(above))
        shown += [(f"{'  ' * depth}{path[depth]}:", "") for depth in range(common, len(path) - 1)]
        shown.append((f"{'  ' * (len(path) - 1)}{path[-1]}: {_as_yaml(value)}", f"# {remark}"))
        above = path[:-1]
    lines(shown)


def lines(rows: Iterable[tuple[str, ...]]) -> None:
    """Prints rows in columns; empty columns are left out."""
    columns = [column for column in zip(*rows, strict=True) if any(column)]
    widths = [max(map(len, column)) for column in columns]
    for row in zip(*columns, strict=True):
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _as_yaml(value: Any) -> str:
    import yaml

    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")


def listed(words: Sequence[str], most: int = 6) -> str:
    """Returns "a, b and c", or "a, b and 5 more"."""
    if len(words) > most:
        words = [*words[: most - 1], f"{len(words) - most + 1} more"]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _style(line: str) -> str:
    if line.startswith(("---", "+++")):
        return "bold"
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "none")


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def cell(value: object) -> str:
    """Returns a value as the text of a table cell; numbers have four digits."""
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
