"""Scores of any two sets of images in a notebook."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from genpipe.api._words import in_python, warn
from genpipe.api.images import Given, verified_size
from genpipe.api.images import images as as_images
from genpipe.api.tables import score_table
from genpipe.dataset.reading import Reading
from genpipe.errors import UsageError
from genpipe.evaluation import ad_hoc
from genpipe.interfaces.spec import ImageSize


def score(
    images: Given,
    real: Given,
    metrics: str | Sequence[str] = ("fid", "kid"),
    features: str = "inception",
    *,
    size: ImageSize | None = None,
    channels: int | None = None,
    skip_broken: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """Returns a row per score of images against real ones: `value`, its interval `low` to `high`, and its protocol.

    Either side is anything that `genpipe.images` takes, or, as a string, an experiment or a data set of the project
    around the current folder. `metrics` are files of genpipe/metrics; `features` is "inception", "pixels",
    "classifier:FOLDER" and so on, as `genpipe score` has it. Raises UsageError for sets that do not compare,
    UnknownName for a metric or extractor that does not exist.
    """
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    if not names:
        raise UsageError('metrics is empty; name some, as ("fid", "kid").')
    reading = Reading(verified_size(size), channels, skip_broken=skip_broken, told=warn)
    with TemporaryDirectory(prefix="genpipe-") as scratch, in_python():
        sides = {"images": images, "real": real}
        drawn, against = (_set(what, one, reading, Path(scratch) / f"{what}.npy") for what, one in sides.items())
        return score_table(ad_hoc.score(drawn, against, names, features, seed=seed))


def _set(what: str, one: Given, reading: Reading, file: Path) -> ad_hoc.Given:
    """One side of a comparison; `what` is what it is called where it has no name of its own."""
    if isinstance(one, str | PathLike):
        return ad_hoc.given(str(one), reading, file, ad_hoc.surrounding() if isinstance(one, str) else None)
    made = as_images(one, size=reading.size, channels=reading.channels, skip_broken=reading.skip_broken)
    return ad_hoc.Given(what, made.planes)
