"""The report: one self-contained HTML page and its Markdown version.

They do not depend on the date or the machine that writes them: equal inputs give equal bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

import genpipe
from genpipe import paths
from genpipe.errors import visible
from genpipe.files import write_text
from genpipe.reporting import wording
from genpipe.reporting.figures import Curve, Picture, curves, pictures
from genpipe.reporting.leaderboard import Board, Column, boards, write_csv
from genpipe.reporting.plots import Plots
from genpipe.reporting.reading import STAGES, Result, Timing, results, timings

PAGE = paths.REPORTS / "index.html"
TWIN = paths.REPORTS / "README.md"


@dataclass(frozen=True)
class Shown:
    """An experiment with everything that the page shows of it."""

    result: Result
    columns: Sequence[Column]
    pictures: Sequence[Picture]
    curves: Sequence[Curve]
    warnings: Sequence[str]

    @property
    def grid(self) -> Picture | None:
        """The picture of its samples."""
        return next((p for p in self.pictures if p.file == "sample_grid.png"), None)


@dataclass(frozen=True)
class Times:
    """The run times of the stages of one experiment or data set."""

    key: str
    kind: str
    by_stage: Mapping[str, Timing]

    @property
    def total_sec(self) -> float:
        """The sum over all stages."""
        return sum(t.wall_sec for t in self.by_stage.values())

    @property
    def images_per_sec(self) -> int | float | None:
        """The speed of training, if it was recorded."""
        return self.by_stage["train"].facts.images_per_sec if "train" in self.by_stage else None


def write_report(root: Path) -> Path:
    """Writes the page, the leaderboard and the Markdown version, and returns the path of the page.

    Raises ConfigError if the index is wrong, GenpipeError if something that a stage left is missing or damaged.
    """
    told = _told(root)
    page = _environment(autoescape=True).get_template("page.html.j2").render(told)
    twin = _environment(autoescape=False).get_template("README.md.j2").render(told)
    write_csv(root)
    write_text(root / TWIN, visible(twin))
    write_text(root / PAGE, visible(page))
    return root / PAGE


def _environment(autoescape: bool) -> Environment:
    """Templates; whatever comes from a file is escaped, by Jinja in HTML and by the filter `md` in Markdown."""
    loader = PackageLoader("genpipe", "reporting")
    made = Environment(
        loader=loader, autoescape=autoescape, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {"number": wording.number, "words": wording.words, "joined": wording.joined, "count": wording.count}
    made.filters |= {"seconds": lambda sec: wording.number(sec, 1)}
    made.filters |= {"md": wording.markdown, "urlpath": lambda text: quote(str(text), safe="")}
    made.globals["fact"] = wording.fact
    return made


def _told(root: Path) -> dict[str, Any]:
    """Returns the variables of the templates."""
    found = results(root)
    ranked = boards(found)
    run = [r for r in found if r.how]
    noted = timings(root)
    with Plots(paths.private(paths.home(root)) / "plots.json") as plots:
        shown = {
            r.name: Shown(r, _columns_of(r, ranked), pictures(root, r), curves(root, r, plots), _warnings(r, noted))
            for r in run
        }
    return {
        "boards": ranked,
        "ranges": any(made.interval for r in run for made in r.made.values()),
        "results": found,
        "run": run,
        "shown": shown,
        "datasets": [board.data for board in ranked],
        "lede": _lede(found, run),
        "explained": _explained(ranked),
        "times": _times(found, noted),
        "stages": STAGES,
        "versions": _versions(run),
    }


def _lede(found: Sequence[Result], run: Sequence[Result]) -> str:
    """What was run, in a sentence or two."""
    datasets = wording.joined(dict.fromkeys(r.data for r in found))
    devices = wording.joined(dict.fromkeys(r.how.device for r in run if r.how and r.how.device))
    where = f", trained and scored on {devices}" if devices else ""
    lede = f"{wording.count(len(found), 'experiment')} on {datasets or 'no data set'}{where}."
    waiting = len(found) - len(run)
    later = f"{wording.count(waiting, 'experiment')} {'has' if waiting == 1 else 'have'} not been run yet."
    return wording.capital(lede) + (f" {wording.capital(later)}" if waiting else "")


def _columns_of(result: Result, ranked: Sequence[Board]) -> list[Column]:
    return [c for board in ranked for c in board.columns if result in c.holders]


def _warnings(result: Result, noted: Mapping[tuple[str, str], Timing]) -> Sequence[str]:
    """The warnings of an experiment's stages."""
    told = [noted[stage, result.name].facts.warnings for stage in STAGES[2:] if (stage, result.name) in noted]
    return list(dict.fromkeys(warning for warnings in told for warning in warnings))


def _explained(ranked: Sequence[Board]) -> dict[str, list[tuple[str, Column]]]:
    """Each score with the ways it was computed, and on which data."""
    explained: dict[str, list[tuple[str, Column]]] = {}
    for board in ranked:
        for column in board.columns:
            explained.setdefault(column.score, []).append((board.data, column))
    return explained


def _times(found: Sequence[Result], noted: Mapping[tuple[str, str], Timing]) -> list[Times]:
    """A row per data set, then a row per experiment, for those with recorded times."""
    shared, own = STAGES[:2], STAGES[2:]
    rows: list[tuple[str, str, tuple[str, ...]]]
    rows = [(data, "data set", shared) for data in dict.fromkeys(r.data for r in found)]
    rows += [(r.name, "experiment", own) for r in found]
    made = [Times(key, kind, {s: noted[s, key] for s in over if (s, key) in noted}) for key, kind, over in rows]
    return [times for times in made if times.by_stage]


def _versions(run: Sequence[Result]) -> dict[str, list[str]]:
    """The versions of the software that made the figures; several for one name if experiments differ."""
    versions: dict[str, list[str]] = {"genpipe": [genpipe.__version__]}
    for how in (r.how for r in run if r.how):
        for name, version in [*how.versions.items(), *([("commit", how.commit)] if how.commit else [])]:
            known = versions.setdefault(name, [])
            if version not in known:
                known.append(version)
    return versions
