"""Pictures inside the page: PNG files as data URIs, training curves as inline SVG."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genpipe import paths
from genpipe.errors import GenpipeError
from genpipe.plotting import DENSITY, PAPER
from genpipe.reporting.plots import Plots
from genpipe.reporting.reading import Made, Result, damaged
from genpipe.reporting.wording import number, words

ORDER = ("sample_grid.png", "reconstruction.png", "nearest_neighbors.png")
_SMALL_PX = 200


@dataclass(frozen=True)
class Picture:
    """A picture and the size at which it is shown, in CSS pixels."""

    file: str
    caption: str
    uri: str
    width: int
    height: int
    drawn: bool
    """Whether it is a plot; otherwise it consists of images, whose pixels are shown as squares."""


@dataclass(frozen=True)
class Curve:
    """A training curve: an SVG, and what it shows in words."""

    name: str
    svg: str
    alt: str
    note: str = ""
    """For a score: its best value, and that of the last weights, which made the samples."""


def pictures(root: Path, result: Result) -> list[Picture]:
    """The pictures of an experiment, samples first. Raises GenpipeError if one is missing or damaged."""
    folder = paths.figures(result.name)
    captions: Mapping[str, str] = result.how.figures if result.how else {}
    names = {*captions, *(file.name for file in (root / folder).glob("*.png"))} if result.how else set()
    ordered = sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    return [_picture(root, folder / n, captions.get(n) or words(Path(n).stem)) for n in ordered]


def curves(root: Path, result: Result, plots: Plots) -> list[Curve]:
    """The curves of an experiment, unsmoothed: first the scores of samples during training, then the training itself.

    A model fitted in closed form has none. Raises GenpipeError if a file of curves is damaged.
    """
    of_scores, of_training = (_series(root, file(result.name)) for file in (paths.score_curves, paths.curves))
    scored = [
        _curve(plots, result.name, name, points, _best(points, name, result.made.get(name)))
        for name, points in of_scores.items()
    ]
    return scored + [_curve(plots, result.name, name, points) for name, points in of_training.items()]


def _best(points: Any, name: str, made: Made | None) -> str:
    """The best score of samples during training, with its step, and the last one."""
    if made is None or made.lower_is_better is None:
        return ""
    place = points[name].idxmin() if made.lower_is_better else points[name].idxmax()
    best, last = ((number(row[name]), number(row["step"])) for row in (points.loc[place], points.iloc[-1]))
    return f"Best: {best[0]} at step {best[1]}. Last: {last[0]} at step {last[1]}."


def _series(root: Path, file: Path) -> dict[str, Any]:
    """The columns of a file of curves, if it exists, each with its steps."""
    import pandas as pd  # slow to import, and the leaderboard can do without

    if not (root / file).exists():
        return {}
    try:
        table = pd.read_csv(root / file).astype(float)
    except (ValueError, OSError) as error:  # what pandas raises for damaged text is a ValueError
        raise damaged(file, str(error)) from None
    if "step" not in table:
        raise damaged(file, "it has no column 'step'")
    table = table.where(table.abs() < float("inf"))  # no axis can show the rest
    series = {str(name): table[["step", name]].dropna() for name in table.columns.drop("step")}
    return {name: points for name, points in series.items() if len(points)}


def _picture(root: Path, file: Path, caption: str) -> Picture:
    from PIL import Image, ImageColor

    try:
        content = (root / file).read_bytes()
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            image.load()
            width, height = image.size
            drawn = image.mode == "RGB" and image.getpixel((0, 0)) == ImageColor.getrgb(PAPER)
    except FileNotFoundError:
        raise GenpipeError(f"{file} is missing. Run `dvc repro` to make it again.") from None
    except (OSError, ValueError, SyntaxError) as error:  # Pillow reports a broken chunk as a SyntaxError
        raise damaged(file, str(error)) from None
    times = 1 / DENSITY if drawn else max(1, _SMALL_PX // width)  # whole multiples keep every pixel a square
    uri = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return Picture(file.name, caption, uri, int(width * times), int(height * times), drawn)


def _curve(plots: Plots, experiment: str, name: str, points: Any, note: str = "") -> Curve:
    """One curve over the steps, without smoothing."""
    steps, values = points["step"].to_list(), points[name].to_list()
    first, last = f"{number(values[0])} at step {number(steps[0])}", f"{number(values[-1])} at step {number(steps[-1])}"
    alt = f"{name} of {experiment} over training: {first}, {last}, lowest {number(min(values))}, highest "
    return Curve(name, plots.line(name, steps, values, f"{experiment}-{name}"), alt + number(max(values)), note)
