"""What is to be seen in the curves of a training that goes wrong without failing.

No model is named here: a check looks at a column of the curves, which is called PHASE/WHAT, in the last rows.
"""

from collections.abc import Callable, Sequence
from statistics import median

from genpipe.training.callbacks import NONFINITE, REWINDS, Row, StepInfo

ROWS = 5
"""So many rows in a row have to say so."""
HISTORY = 20
"""So many rows a check is given at most."""
EXPLODED = 100.0
"""So many times as long as usual a gradient has to be."""
WON = 1e-3
"""A loss below it, in a game of several, has nothing more to learn."""
COLLAPSED_NATS = 0.01
"""Codes of so little information are those of the prior."""

Check = Callable[[str, Sequence[Row]], str | None]
"""What is wrong with a column, if anything, after the last of some rows."""


def warnings(curves: Sequence[Row]) -> list[str]:
    """All that is to be said of some curves, each once with the step at which it was first to be seen."""
    health = Health()
    for row in curves:
        health.look(row)
    return health.found


class Health:
    """Looks at every row of a training and tells what it finds, each finding once."""

    def __init__(self, *listeners: Callable[[str], None]) -> None:
        self.listeners, self.found = listeners, list[str]()
        self._rows: list[Row] = []
        self._told: set[str] = set()

    def __call__(self, info: StepInfo) -> None:
        self.look(info.row)

    def look(self, row: Row) -> None:
        """Runs all checks after one more row."""
        self._rows = [*self._rows[1 - HISTORY :], row]
        told = (check(column, self._rows) for column in row for check in CHECKS)
        for text in dict.fromkeys(text for text in told if text and text not in self._told):
            self._told.add(text)
            self.found.append(f"step {row['step']:.0f}: {text}")
            for listener in self.listeners:
                listener(self.found[-1])


def exploding_gradient(column: str, rows: Sequence[Row]) -> str | None:
    """The norm of the gradient is far above the median of the rows before."""
    *before, last = _values(column, rows)
    if not column.endswith("/grad_norm") or len(before) < ROWS or last <= EXPLODED * median(before):
        return None
    return f"the gradient of '{_phase(column)}' was more than {EXPLODED:.0f} times as long as usual."


def won_game(column: str, rows: Sequence[Row]) -> str | None:
    """One loss of several has stayed at 0."""
    losses = [name for name in rows[-1] if name.endswith("/loss")]
    last = _values(column, rows[-ROWS:])
    if column not in losses or len(losses) < 2 or len(last) < ROWS or not all(0 <= v < WON for v in last):
        return None
    return f"'{_phase(column)}' has won: its loss stayed below {WON}, and the others learn little from it."


def collapsed_codes(column: str, rows: Sequence[Row]) -> str | None:
    """The codes carry no information."""
    last = _values(column, rows[-ROWS:])
    if not column.endswith("/kl_nats") or len(last) < ROWS or max(last) >= COLLAPSED_NATS:
        return None
    return f"the codes of '{_phase(column)}' have collapsed to the prior: kl_nats stayed below {COLLAPSED_NATS}."


def skipped_turns(column: str, rows: Sequence[Row]) -> str | None:
    """Some turns were not taken."""
    if not column.endswith("/skipped_share") or not rows[-1][column]:
        return None
    return f"turns of '{_phase(column)}' are skipped, because its loss or gradient is not finite (see {column})."


def rewound(column: str, rows: Sequence[Row]) -> str | None:
    """The training went back to a checkpoint."""
    if column != "rewinds":
        return None
    return f"something was not finite: went back to a checkpoint ({rows[-1][column]:.0f} of at most {REWINDS} times)."


def nonfinite_log(column: str, rows: Sequence[Row]) -> str | None:
    """Something that is only noted is NaN or infinite."""
    if not column.endswith(NONFINITE):
        return None
    return f"'{column.removesuffix(NONFINITE)}' is not finite in some turns; its curve leaves them out (see {column})."


CHECKS: tuple[Check, ...] = (exploding_gradient, won_game, collapsed_codes, skipped_turns, rewound, nonfinite_log)


def _values(column: str, rows: Sequence[Row]) -> list[float]:
    return [row[column] for row in rows if column in row]


def _phase(column: str) -> str:
    return column.partition("/")[0]
