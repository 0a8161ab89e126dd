"""Commands that make pictures of pictures: a file for each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genpipe.cli import _screen
from genpipe.cli._trained import Name, SkipBroken, trained_model
from genpipe.errors import ExistsError, UsageError

if TYPE_CHECKING:
    from genpipe.interfaces.sources import EncodedField, EncodedImage
    from genpipe.sampling.latent import TrainedModel
    from genpipe.sampling.translating import MadeImages

Given = Annotated[list[Path], typer.Argument(help="Pictures, and folders of pictures.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder to write to: a PNG of the same name for each picture.")]
Draws = Annotated[int, typer.Option(min=1, max=1000, help="Images of each picture, if the model has noise.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of all that is random.")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", "-s", metavar="OPTION=VALUE", help="Set an option of sampling.")
]
Changes = Annotated[list[str] | None, typer.Option("--set", "-s", metavar="ATTRIBUTE=VALUE", help="Set an attribute.")]
Derive = Annotated[
    bool, typer.Option("--derive", help="Pictures are images, of which the condition is made as in the data set.")
]
Masks = Annotated[Path | None, typer.Option(help="Folder of masks by the names of the pictures, or one for all.")]
Threshold = Annotated[
    int | None, typer.Option(min=1, max=65_535, help="Lowest gray level of a mask that is hole. Default: no grays.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace pictures that exist.")]


def translate(
    name: Name,
    pictures: Given,
    out: Out,
    sets: Sets = None,
    draws: Draws = 1,
    derive: Derive = False,
    seed: Seed = 0,
    skip_broken: SkipBroken = False,
    force: Force = False,
) -> None:
    """Translate pictures: each is what the model is given, such as edges, a label map or an image of a domain."""
    from genpipe.interfaces.translation import Translates, TranslatesDomains

    files, targets = _planned(pictures, out, draws, force)
    trained = trained_model(name, (Translates, TranslatesDomains), skip_broken)
    _write(targets, _made(trained, files, sets, draws=draws, derive=derive, seed=seed), out)


def upscale(
    name: Name,
    pictures: Given,
    out: Out,
    sets: Sets = None,
    draws: Draws = 1,
    derive: Derive = False,
    seed: Seed = 0,
    skip_broken: SkipBroken = False,
    force: Force = False,
) -> None:
    """Translate small pictures into large ones, with a model of low_resolution."""
    from genpipe.interfaces.translation import Translates

    files, targets = _planned(pictures, out, draws, force)
    trained = trained_model(name, Translates, skip_broken)
    from genpipe.sampling.translating import verify_enlarges

    verify_enlarges(trained.model, name)
    _write(targets, _made(trained, files, sets, draws=draws, derive=derive, seed=seed), out)


def inpaint(
    name: Name,
    pictures: Given,
    out: Out,
    masks: Masks = None,
    threshold: Threshold = None,
    sets: Sets = None,
    draws: Draws = 1,
    derive: Derive = False,
    seed: Seed = 0,
    skip_broken: SkipBroken = False,
    force: Force = False,
) -> None:
    """Fill the holes of pictures: where a mask is white, or with --derive where the data set makes holes."""
    from genpipe.interfaces.translation import Inpaints

    files, targets = _planned(pictures, out, draws, force)
    found = _masks(masks, files, threshold) if masks else None
    trained = trained_model(name, Inpaints, skip_broken)
    _write(targets, _made(trained, files, sets, masks=found, draws=draws, derive=derive, seed=seed), out)


def edit(
    name: Name,
    pictures: Given,
    out: Out,
    changes: Changes = None,
    skip_broken: SkipBroken = False,
    force: Force = False,
) -> None:
    """Change attributes of pictures; those that are not set stay."""
    from genpipe.interfaces.translation import Edits

    files, targets = _planned(pictures, out, 1, force)
    trained = trained_model(name, Edits, skip_broken)
    from genpipe.sampling.translating import edited_images

    _write(targets, edited_images(trained.model, trained.condition_reader, files, _settings(changes)), out)


Targets = Mapping[str, Sequence[Path]]
"""The files to write of each picture, by its name."""


def _planned(words: Sequence[Path], out: Path, draws: int, force: bool) -> "tuple[list[EncodedImage], Targets]":
    """The pictures, and where their images go. Raises ExistsError if something is there, UsageError if two would be."""
    from genpipe.dataset.reading import pictures_at

    files = [file for word in words for file in pictures_at(word)]
    if out.exists() and not out.is_dir():
        raise ExistsError(f"{out} is no folder. Give a folder as --out.")
    targets, taken = dict[str, list[Path]](), dict[Path, str]()
    for name, _ in files:
        stem = out / Path(name).with_suffix("")
        numbers = [""] if draws == 1 else [f"-{number}" for number in range(1, draws + 1)]
        paths = [stem.with_name(f"{stem.name}{number}.png") for number in numbers]
        if other := next((taken[path] for path in paths if path in taken), None):
            raise UsageError(f"{other} and {name} would both be written to {paths[0]}. Rename one, or give it alone.")
        taken |= dict.fromkeys(paths, name)
        targets[name] = paths
    there = [path for path in taken if path.exists()]
    if there and not force:
        more = f", as do {len(there) - 1} more of the pictures to write" if len(there) > 1 else ""
        raise ExistsError(f"{there[0]} exists{more}. Give another --out, or --force to replace what is there.")
    return files, targets


def _masks(path: Path, pictures: "Sequence[EncodedImage]", threshold: int | None) -> "list[EncodedField]":
    """The mask of each picture: of its name in a folder, or one file for all."""
    from genpipe.dataset.pairing import paired_masks
    from genpipe.dataset.reading import pictures_at

    masks = pictures_at(path)
    if not path.is_dir():
        masks = [(name, masks[0][1]) for name, _ in pictures]
    return paired_masks(masks, pictures, threshold)


def _made(
    trained: "TrainedModel", pictures: "Sequence[EncodedImage]", sets: list[str] | None, **asked: Any
) -> "MadeImages":
    from genpipe.sampling.translating import images_of

    return images_of(trained.model, trained.condition_reader, pictures, options=_settings(sets), **asked)


def _settings(sets: list[str] | None) -> dict[str, Any]:
    from genpipe.project.datasets import settings

    return settings(sets or [])


def _write(targets: Targets, made: "MadeImages", out: Path) -> None:
    from genpipe.sampling.drawing import save_picture

    for name, images in zip(made.names, made.images, strict=True):
        for path, image in zip(targets[name], images, strict=True):
            save_picture(image.transpose(1, 2, 0), path)
    count = made.images.shape[0] * made.images.shape[1]
    _screen.say(f"Wrote {count:,} picture{'s' * (count != 1)} to {out}.")
