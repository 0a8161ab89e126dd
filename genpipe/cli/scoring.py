"""The command that scores images without a pipeline."""

from typing import Annotated, Any

import typer

from genpipe.cli import _screen
from genpipe.cli.data import Channels
from genpipe.cli.inspecting import AsJson
from genpipe.cli.latent import SkipBroken
from genpipe.errors import UsageError


def score(
    images: Annotated[str, typer.Argument(help="A folder, .zip, .tar, .npy or .npz, an experiment or a data set.")],
    real: Annotated[str, typer.Argument(help="The real images, given in the same way.")],
    metrics: Annotated[str, typer.Option("--metrics", "-m", help="Metrics, separated by commas: fid,kid.")] = "fid,kid",
    features: Annotated[
        str, typer.Option("--features", "-f", help="inception, pixels, classifier:FOLDER, torchscript:FILE, …")
    ] = "inception",
    size: Annotated[
        str | None, typer.Option(metavar="PIXELS", help="Resize pictures: 32, or HEIGHTxWIDTH as 24x32.")
    ] = None,
    channels: Annotated[
        Channels | None, typer.Option(help="Make pictures gray (1) or color (3). Default: as they are.")
    ] = None,
    skip_broken: SkipBroken = False,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of subsets and splits.")] = 0,
    json: AsJson = False,
) -> None:
    """Score images against real ones: two folders, archives, arrays, experiments or data sets."""
    from genpipe.cli._image_size import parsed
    from genpipe.dataset.reading import Reading
    from genpipe.evaluation.ad_hoc import score_words

    names = [name.strip() for name in metrics.split(",") if name.strip()]
    if not names:
        raise UsageError("--metrics names no metric; give some, as in --metrics fid,kid (see genpipe list metrics).")
    wanted = None if size is None else parsed(size)
    reading = Reading(wanted, int(channels) if channels else None, skip_broken=skip_broken, told=_screen.remark)
    found = score_words((images, real), names, features, reading, seed=seed)
    if json:
        _screen.as_json(found)
        return
    _screen.table([_row(name, made) for name, made in found.items()])
    for told in dict.fromkeys(made["pairs"] for made in found.values() if "pairs" in made):
        _screen.say(f"Pairs: {told}.")


def _row(name: str, made: dict[str, Any]) -> dict[str, Any]:
    low, high = made.get("interval") or (None, None)
    counts = {"images": made.get("fake_images"), "real images": made.get("training_images")}
    return {"score": name, "value": made["value"], "from": low, "to": high, "real": made.get("real"), **counts}
