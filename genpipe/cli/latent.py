"""Commands for the codes of a trained experiment."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from genpipe.cli import _screen
from genpipe.cli._trained import Name, SkipBroken, trained_model
from genpipe.errors import ExistsError, UsageError

Given = Annotated[
    list[str],
    typer.Argument(help="A picture, folder, archive, .npy or .npz; or held-out images by number: 7 or 0-3,9."),
]
Starts = Annotated[
    list[str] | None,
    typer.Argument(
        help="Images or codes: files, or numbers of held-out images. Default: held-out images, or the prior."
    ),
]
Out = Annotated[Path, typer.Option("--out", "-o", help="File to write: a picture (.png) or an array (.npy).")]
CodesOut = Annotated[Path, typer.Option("--out", "-o", help="File to write: .npy, or .npz with names.")]
Steps = Annotated[int, typer.Option("--steps", min=2, max=1000, help="Images along each path.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed for codes from the prior.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")]


class Way(StrEnum):
    """The path from one code to another."""

    LINEAR = "linear"
    SPHERICAL = "spherical"


def encode(
    name: Name, images: Given, out: CodesOut = Path("codes.npy"), skip_broken: SkipBroken = False, force: Force = False
) -> None:
    """Write the codes of images as an array with a row per image; .npz also holds their names.

    The images of a folder or an archive come in the natural order of their names: 2.png before 10.png.
    """
    import numpy as np

    from genpipe.files import atomic_file
    from genpipe.interfaces.generative import Encodes

    _verify(out, force, (".npy", ".npz"))
    from genpipe.sampling import latent

    codes, names = latent.encoding(trained_model(name, Encodes, skip_broken), images)
    if out.suffix == ".npy":
        _write(out, None, codes)
        return
    with atomic_file(out) as temporary, temporary.open("wb") as file:
        np.savez(file, codes=codes, names=np.array(names))
    _screen.say(f"Wrote {out}.")


def decode(
    name: Name, codes: Given, out: Out = Path("decoded.png"), skip_broken: SkipBroken = False, force: Force = False
) -> None:
    """Write the images of codes. The codes are an array with a row per code, in a .npy or .npz file."""
    from genpipe.interfaces.generative import Decodes

    _verify(out, force)
    from genpipe.sampling import latent

    _write(out, *latent.decoding(trained_model(name, Decodes, skip_broken), codes))


def reconstruct(
    name: Name,
    images: Given,
    out: Out = Path("reconstructed.png"),
    skip_broken: SkipBroken = False,
    force: Force = False,
) -> None:
    """Write images with their reconstructions below them."""
    from genpipe.interfaces.generative import Reconstructs

    _verify(out, force)
    from genpipe.sampling import latent

    _write(out, *latent.reconstruction(trained_model(name, Reconstructs, skip_broken), images))


def interpolate(
    name: Name,
    ends: Starts = None,
    path: Annotated[Way, typer.Option(help="Path along the line or the circle between codes.")] = Way.SPHERICAL,
    steps: Steps = 11,
    animate: Annotated[
        bool, typer.Option("--animate", help="Write one animated picture that goes there and back.")
    ] = False,
    out: Out = Path("interpolation.png"),
    seed: Seed = 0,
    skip_broken: SkipBroken = False,
    force: Force = False,
) -> None:
    """Interpolate between codes: a row of images from each code to the next."""
    from genpipe.interfaces.generative import Decodes

    _verify(out, force)
    from genpipe.sampling import latent

    trained = trained_model(name, Decodes, skip_broken)
    _write(out, *latent.interpolation(trained, ends or [], path=path.value, images=steps, animate=animate, seed=seed))


def arithmetic(
    name: Name,
    a: Annotated[str, typer.Argument(help="Images or codes A, with the attribute; their mean is used.")],
    b: Annotated[str, typer.Argument(help="Images or codes B, without the attribute.")],
    c: Annotated[str, typer.Argument(help="Images or codes C, to be changed.")],
    out: Out = Path("arithmetic.png"),
    skip_broken: SkipBroken = False,
    force: Force = False,
) -> None:
    """Write the images of the codes A, B, C and A − B + C: genpipe arithmetic vae 0-2 3-5 7."""
    from genpipe.interfaces.generative import Decodes

    _verify(out, force)
    from genpipe.sampling import latent

    _write(out, *latent.arithmetic(trained_model(name, Decodes, skip_broken), a, b, c))


def traverse(
    name: Name,
    start: Starts = None,
    codes: Annotated[int, typer.Option(min=1, help="Maximum number of rows.")] = 10,
    steps: Steps = 11,
    out: Out = Path("traversal.png"),
    seed: Seed = 0,
    skip_broken: SkipBroken = False,
    force: Force = False,
) -> None:
    """Change the numbers of a code one by one: a row for each, those that change the image most first."""
    from genpipe.interfaces.generative import Decodes

    _verify(out, force)
    from genpipe.sampling import latent

    _write(
        out,
        *latent.traversal(trained_model(name, Decodes, skip_broken), start or [], codes=codes, images=steps, seed=seed),
    )


def _verify(out: Path, force: bool, kinds: tuple[str, ...] = (".png", ".npy")) -> None:
    if out.suffix not in kinds:
        raise UsageError(f"{out} must end in {' or '.join(kinds)}.")
    if out.exists() and not force:
        raise ExistsError(f"{out} exists. Give another -o, or --force to replace it.")


def _write(out: Path, picture: Any, array: Any) -> None:
    """Writes the picture or the array, as the name of the file says."""
    import numpy as np

    from genpipe.files import atomic_file
    from genpipe.sampling.drawing import save_picture

    if out.suffix == ".png":
        save_picture(picture, out)
    else:
        with atomic_file(out) as temporary, temporary.open("wb") as file:
            np.save(file, array)
    _screen.say(f"Wrote {out}.")
