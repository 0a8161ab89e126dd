"""The leaderboard: how good each experiment is, and which scores may be compared.

Scores of one name are ranked together only if they were computed in the same way: on the same data set, with the same
extractor, the same number of images and so on. Otherwise each way has its own column.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from genpipe import paths
from genpipe.files import atomic_file
from genpipe.reporting.reading import Made, Result, results
from genpipe.reporting.wording import decimals, fact, number, words

REAL = "real-held-out"
"""The name of the row of real images; the name of an experiment must not begin with real-."""
LOW, HIGH = "_low", "_high"
"""Suffixes of a score's name for the ends of its 95 % interval."""
MOST_BIAS = 0.1
"""The share of a score that may be bias without a caution."""
CSV = paths.REPORTS / "leaderboard.csv"


@dataclass(frozen=True)
class Column:
    """One score, made in one way."""

    score: str
    way: str
    """How this way differs from the others of the same score; empty if there is only one."""
    made: Made
    holders: tuple[Result, ...]

    @property
    def key(self) -> str:
        """Its name in the table."""
        return f"{self.score} [{self.way}]" if self.way else self.score

    @cached_property
    def real(self) -> int | float | None:
        """The score of held-out real images."""
        return next((h.made[self.score].real for h in self.holders if h.made[self.score].real is not None), None)

    @cached_property
    def decimals(self) -> int:
        """The number of decimals in its column."""
        return decimals([*self._values, *([] if self.real is None else [self.real])])

    def value(self, result: Result) -> int | float | None:
        """The score of an experiment, or None if it has none made in this way."""
        return result.values[self.score] if result in self.holders else None

    def spread(self, result: Result) -> int | float | None:
        """The standard deviation of that score, if it was recorded."""
        return result.values.get(f"{self.score}_std") if result in self.holders else None

    def interval(self, result: Result) -> tuple[int | float, int | float] | None:
        """The 95 % confidence interval of that score, if it was recorded."""
        return result.made[self.score].interval if result in self.holders else None

    def caution(self, result: Result) -> str | None:
        """Returns the caution about that score, if any: its own warning, or that much of it is bias."""
        if result not in self.holders:
            return None
        made = result.made[self.score]
        return made.warning or too_few(made, result.values[self.score])

    def is_best(self, result: Result) -> bool:
        """Whether no other experiment does better; False for a single experiment, or if the score has no better end."""
        best = (min if self.made.lower_is_better else max)(self._values)
        return self.made.lower_is_better is not None and len(self._values) > 1 and self.value(result) == best

    def bar(self, value: int | float | None) -> float | None:
        """The length of a value in percent of the longest in its column, or None where lengths mean nothing."""
        all_values = [*self._values, *([] if self.real is None else [self.real])]
        if value is None or min(all_values) < 0 or max(all_values) == 0:
            return None
        return round(100 * value / max(all_values), 2)

    @property
    def _values(self) -> list[int | float]:
        return [h.values[self.score] for h in self.holders]


@dataclass(frozen=True)
class Board:
    """The experiments on one data set, best first, those without scores last."""

    data: str
    columns: Sequence[Column]
    results: Sequence[Result]

    @property
    def cautions(self) -> list[tuple[Result, Column, str]]:
        """Every caution, with its experiment and column."""
        pairs = [(r, c) for r in self.results for c in self.columns]
        return [(r, c, caution) for r, c in pairs if (caution := c.caution(r))]


def too_few(made: Made, value: int | float) -> str | None:
    """Returns a sentence if more than a tenth of a score is bias, or if there are fewer images than feature dimensions.

    With fewer images than dimensions, the estimate of the bias is too low.
    """
    if made.bias_estimate is None:
        return None
    images = made.protocol.get("fake_images")
    if made.feature_dimensions and isinstance(images, int) and images < made.feature_dimensions:
        few = f"Too few images ({number(images)} for {number(made.feature_dimensions)} features)"
        return f"{few}: at least {number(made.bias_estimate)} of this figure is bias."
    if made.bias_estimate > MOST_BIAS * abs(value):
        return f"Too few images: about {number(made.bias_estimate)} of this figure is bias."
    return None


def boards(found: Sequence[Result]) -> list[Board]:
    """A board for each data set, in the order of the index."""
    result = []
    for data in dict.fromkeys(r.data for r in found):
        here = [r for r in found if r.data == data]
        columns = _columns(here)
        result.append(Board(data, columns, _sorted(here, columns)))
    return result


def rows(root: Path) -> list[dict[str, Any]]:
    """The leaderboard, a row per experiment; the rows of each data set begin with its real held-out images.

    `state` is "real", "scored" or "not run yet". An empty cell is None. All rows have the same keys.
    Raises GenpipeError if a file is damaged.
    """
    made = [row for board in boards(results(root)) for row in _rows(board)]
    keys = list(dict.fromkeys(key for row in made for key in row))
    return [{key: row.get(key) for key in keys} for row in made]


def write_csv(root: Path) -> Path:
    """The path of the leaderboard as comma-separated values. Raises GenpipeError if a file is damaged."""
    import pandas as pd  # slow to import, and `rows` can do without

    with atomic_file(root / CSV) as temporary:
        pd.DataFrame(rows(root), dtype=object).to_csv(temporary, index=False, lineterminator="\n")
    return root / CSV


def _rows(board: Board) -> Iterable[dict[str, Any]]:
    nothing: dict[str, Any] = {"data": board.data, "experiment": REAL, "model": None, "state": "real", "seed": None}
    yield nothing | {"parameters": None} | _cells(board, None)
    for result in board.results:
        row = nothing | {"experiment": result.name, "model": result.model, "state": result.state}
        row |= {"seed": result.how.seed if result.how else None, "parameters": result.values.get("parameters")}
        yield row | _cells(board, result) | result.further


def _cells(board: Board, result: Result | None) -> dict[str, int | float | None]:
    """The scores in a row, each followed by recorded intervals and spreads; of real images if there is no result."""
    cells = {}
    for column in board.columns:
        cells[column.key] = column.value(result) if result else column.real
        if any(column.interval(r) for r in board.results):
            interval = (column.interval(result) if result else None) or (None, None)
            cells |= dict(zip((f"{column.key}{LOW}", f"{column.key}{HIGH}"), interval, strict=True))
        if any(column.spread(r) is not None for r in board.results):
            cells[f"{column.key}_std"] = column.spread(result) if result else None
    return cells


def _columns(here: Sequence[Result]) -> list[Column]:
    """A column for each score and way of making it, scores in the order in which they first appear."""
    columns = []
    for score in dict.fromkeys(name for result in here for name in result.made):
        ways: dict[str, list[Result]] = {}
        for result in (r for r in here if score in r.made):
            ways.setdefault(json.dumps(result.made[score].protocol, sort_keys=True), []).append(result)
        first = [holders[0].made[score] for holders in ways.values()]
        told = _told_apart(first)
        columns += [Column(score, told[i], first[i], tuple(h)) for i, h in enumerate(ways.values())]
    return columns


def _told_apart(made: Sequence[Made]) -> list[str]:
    """For each way, the facts in which the ways differ."""
    keys = dict.fromkeys(key for m in made for key in m.protocol)
    differing = [k for k in keys if len({json.dumps(m.protocol.get(k), sort_keys=True) for m in made}) > 1]
    return [", ".join(f"{words(k)} {fact(k, m.protocol.get(k, 'not recorded'))}" for k in differing) for m in made]


def _sorted(here: Sequence[Result], columns: Sequence[Column]) -> list[Result]:
    """Sorted by the first column where lower is better, then by the others; those without a score come last."""
    order = sorted((c for c in columns if c.made.lower_is_better is not None), key=lambda c: not c.made.lower_is_better)

    def rank(result: Result) -> list[tuple[bool, float]]:
        values = [(c.value(result), 1 if c.made.lower_is_better else -1) for c in order]
        return [(value is None, 0.0 if value is None else sign * float(value)) for value, sign in values]

    return sorted(here, key=rank)
