"""Scores of any two sets of images that a notebook has."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from genpipe import scoring
from genpipe.api._words import in_python, warn
from genpipe.api.images import Given
from genpipe.api.images import images as as_images
from genpipe.api.tables import score_table
from genpipe.errors import UsageError
from genpipe.reading import Reading


def score(
    images: Given,
    real: Given,
    metrics: str | Sequence[str] = ("fid", "kid"),
    features: str = "inception",
    *,
    size: int | None = None,
    channels: int | None = None,
    skip_broken: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """A row a score of images against real ones: `value`, its interval `low` to `high`, and how it was made.

    Either side is anything that `genpipe.images` takes, or, as a string, an experiment or a data set of the project
    around the current folder. `metrics` are files of genpipe/metrics; `features` is "inception", "pixels",
    "classifier:FOLDER" and so on, as `genpipe score` has it. Raises UsageError for sets that do not compare,
    UnknownName for a metric or extractor that does not exist.
    """
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    if not names:
        raise UsageError('metrics is empty; name some, as ("fid", "kid").')
    reading = Reading(size, channels, skip_broken=skip_broken, told=warn)
    with TemporaryDirectory(prefix="genpipe-") as scratch, in_python():
        sides = {"images": images, "real": real}
        drawn, against = (_set(what, one, reading, Path(scratch) / f"{what}.npy") for what, one in sides.items())
        return score_table(scoring.score(drawn, against, names, features, seed=seed))


def _set(what: str, one: Given, reading: Reading, file: Path) -> scoring.Given:
    """One side of a comparison; `what` is what it is called where it has no name of its own."""
    if isinstance(one, str | PathLike):
        return scoring.given(str(one), reading, file, scoring.surrounding() if isinstance(one, str) else None)
    made = as_images(one, size=reading.size, channels=reading.channels, skip_broken=reading.skip_broken)
    return scoring.Given(what, made.planes)
