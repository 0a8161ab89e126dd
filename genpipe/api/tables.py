"""What is known of experiments and trainings, as tables of pandas."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from genpipe import paths
from genpipe.reporting.leaderboard import rows
from genpipe.reporting.reading import Result, results


def leaderboard(root: str | PathLike[str] | None = None) -> pd.DataFrame:
    """Every experiment of the project around a folder (the current one, if none), the best first, a row each.

    Before those of each data set comes the row of its real held-out images. Raises UsageError if there is no project,
    GenpipeError if a file of scores is damaged.
    """
    return pd.DataFrame(rows(paths.root(None if root is None else Path(root))))


def score_table(scores: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Scores by name, each with how it was made; the spread of one stands in its row."""
    own = {name: made for name, made in scores.items() if name.removesuffix("_std") not in scores or "_std" not in name}
    found = {name: _row(made, scores.get(f"{name}_std", {}).get("value")) for name, made in own.items()}
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("score")


def _row(made: Mapping[str, Any], spread: float | None) -> dict[str, Any]:
    low, high = made.get("interval") or (None, None)
    first = {"value": made["value"], "low": low, "high": high, "std": spread, "real": made.get("real")}
    return first | {k: v for k, v in made.items() if k not in first and not isinstance(v, Mapping | list | tuple)}


def experiment_scores(root: Path, name: str) -> pd.DataFrame:
    """Every figure of an experiment, and how the scores among them were made."""
    found = result(root, name)
    made = {score: one.model_dump(exclude_none=True) for score, one in found.made.items()}
    return score_table({score: {"value": value, **made.get(score, {})} for score, value in found.values.items()})


def result(root: Path, name: str) -> Result:
    """What came of an experiment of a project. Raises GenpipeError if a file of scores is damaged."""
    return next(one for one in results(root) if one.name == name)


def curves_table(curves: Sequence[Mapping[str, float]]) -> pd.DataFrame:
    """Curves, a row a step; of a system that is fitted in closed form there are none."""
    table = pd.DataFrame(list(curves), columns=None if curves else ["step"])
    return table.astype({"step": int}).set_index("step")
