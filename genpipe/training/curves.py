"""Curves on disk: a table with a row per step."""

import csv
from collections.abc import Sequence
from pathlib import Path

from genpipe.files import atomic_file
from genpipe.training.callbacks import Row


def write_curves(curves: Sequence[Row], path: Path) -> None:
    """Writes a table with a row per logged step; steps are integers."""
    columns = list(dict.fromkeys(["step", *(name for row in curves for name in row)]))
    with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        table.writerows({**row, "step": int(row["step"])} for row in curves)


def read_curves(path: Path) -> list[Row]:
    """Returns the rows of such a table."""
    with path.open(encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
