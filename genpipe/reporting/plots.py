"""Line plots as SVG in a page; one with the points of the last report is not drawn again."""

import hashlib
import io
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from genpipe import plotting
from genpipe.files import read_json, write_json
from genpipe.plotting import style

_INK, _LINE = "#010203", "#040506"  # stand for colors that the page decides, light or dark
_STYLE = {"svg.fonttype": "none", "svg.hashsalt": "genpipe", **style(_INK)}
_SOURCES = (__file__, plotting.__file__)


class Plots:
    """The plots of a report, which are kept in a file for the next one when the block ends."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._edition = [version("matplotlib"), *(Path(file).read_text(encoding="utf-8") for file in _SOURCES)]
        self._used: dict[str, str] = {}
        self._known = _remembered(memory)

    def __enter__(self) -> "Plots":
        return self

    def __exit__(self, *_: object) -> None:
        if self._used != self._known:
            with suppress(OSError):  # it saves time, and is needed for nothing
                write_json(self._memory, self._used)

    def line(self, title: str, steps: Sequence[float], values: Sequence[float], unique: str) -> str:
        """Returns an SVG of values over steps; its identifiers begin with a name that no other plot of the page has."""
        what = json.dumps([title, list(steps), list(values), unique, self._edition])
        key = hashlib.sha256(what.encode()).hexdigest()
        if key not in self._used:
            self._used[key] = self._known.get(key) or _for_page(_svg(title, steps, values), unique)
        return self._used[key]


def _svg(title: str, steps: Sequence[float], values: Sequence[float]) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(3.6, 2.3), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(steps, values, color=_LINE, linewidth=1.3, marker="o" if len(steps) == 1 else None)
        axes.set_title(title, loc="left", fontsize=10, parse_math=False)
        axes.set_xlabel("step")
        axes.grid(axis="y", color=_INK, alpha=0.15, linewidth=0.6)
        axes.margins(x=0.01)
        axes.locator_params(axis="x", nbins=5)
        out = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", transparent=True, metadata=nothing)
    return out.getvalue()


def _for_page(svg: str, unique: str) -> str:
    """The plot as a part of a page: no prologue, the page's colors, and identifiers that no other plot uses."""
    prefix = re.sub(r"[^A-Za-z0-9]", lambda m: f"_{ord(m[0])}_", unique)
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor").replace(_LINE, "var(--accent)")
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", svg)


def _remembered(file: Path) -> dict[str, str]:
    with suppress(OSError, ValueError, RecursionError):
        found = read_json(file)
        if isinstance(found, dict) and all(isinstance(svg, str) for svg in found.values()):
            return found
    return {}
