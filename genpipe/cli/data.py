"""Commands for data sets."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genpipe.cli import _names, _screen
from genpipe.cli._examples import examples
from genpipe.cli._image_size import parsed, written
from genpipe.cli.experiments import DryRun, tell_removed
from genpipe.cli.inspecting import AsJson
from genpipe.errors import ExistsError

if TYPE_CHECKING:
    from genpipe.config.project import Data, Project
    from genpipe.dataset.inspecting import Inspection
    from genpipe.interfaces.spec import FieldSpec
    from genpipe.project.plan import Plan

    Fields = Mapping[str, FieldSpec]

app = typer.Typer(help="Add, list, inspect and remove data sets.", no_args_is_help=True, epilog=examples("data"))
NAMED = 20
"""Broken pictures and duplicates to list on the screen at most; --json lists all."""


class Crop(StrEnum):
    """How pictures get another aspect."""

    CENTER = "center"
    RANDOM = "random"
    NONE = "none"


FIT = {Crop.CENTER: "crop", Crop.RANDOM: "random_crop", Crop.NONE: "pad"}


class Binarize(StrEnum):
    """How 256 levels become two."""

    THRESHOLD = "threshold"
    SAMPLED = "sampled"


class Channels(StrEnum):
    """Gray or color."""

    GRAY = "1"
    COLOR = "3"


Flip = Annotated[bool, typer.Option("--horizontal-flip", help="Mirror half of the images in a training batch.")]
HeldOut = Annotated[
    int | None, typer.Option(min=1, metavar="IMAGES", help="Images to hold out, if the source leaves this open.")
]


@app.command(epilog=examples("data add"))
def add(
    name: Annotated[str, typer.Argument(help="Name of the new data set.")],
    source: Annotated[
        str, typer.Option("--source", "-s", help="Source of the images: folder, archive, arrays, cifar10, …")
    ],
    path: Annotated[str | None, typer.Option("--path", "-p", help="Your folder, .zip, .tar, .npz or .npy.")] = None,
    image_size: Annotated[str, typer.Option(metavar="PIXELS", help="64, or HEIGHTxWIDTH as 48x64.")] = "64",
    channels: Annotated[Channels | None, typer.Option(help="1: gray, 3: color. Default: as in the source.")] = None,
    max_images: Annotated[int | None, typer.Option(min=1, help="Take at most this many images of each split.")] = None,
    crop: Annotated[Crop, typer.Option(help="Where to cut; none: pad with black.")] = Crop.CENTER,
    horizontal_flip: Flip = False,
    binarize: Annotated[
        Binarize | None, typer.Option(help="Make pixels 0 or 255: the nearer one, or a random draw.")
    ] = None,
    split: HeldOut = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set another knob of the source: labels=false."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a data set with this name.")] = False,
    json: AsJson = False,
) -> None:
    """Add a data set: one line of params.yaml."""
    from genpipe import paths
    from genpipe.project import datasets

    root = paths.root()
    given = {
        "source": source,
        "path": path and datasets.relative(path, root),
        "image_size": written(parsed(image_size)),
        "resize_mode": FIT[crop],
        "channels": channels and int(channels),
        "max_images": max_images,
        "horizontal_flip": horizontal_flip or None,
        "binarize": binarize and binarize.value,
        "test_images": split,
    }
    wish = {key: value for key, value in given.items() if value is not None} | datasets.settings(sets or [])
    _add(root, name, wish, force, json)


def _add(root: Path, name: str, wish: dict[str, Any], force: bool, json: bool) -> None:
    from genpipe.project import datasets, lock

    knobs: dict[str, Any] = {}

    def planned(project: "Project") -> "Plan":
        knobs.update(datasets.suited(project, name, wish))
        return datasets.plan_data(project, name, knobs, force=force)

    plan = lock.carry_out(root, planned)
    files = [str(change.file) for change in plan.changes]
    if json:
        _screen.as_json({"data": name, "knobs": knobs, "files": files})
        return
    _screen.say(f"Wrote {' and '.join(files)}." if files else f"{name} already exists as given: nothing changed.")
    if knobs != wish:
        _screen.say("The classifier needs labels or larger images, so scores use the pixels instead (`extractors`).")
    _screen.say(f"Next: genpipe data inspect {name}; genpipe new-experiment NAME --recipe R --data {name}")


@app.command(epilog=examples("data remove"))
def remove(
    name: Annotated[str, typer.Argument(help="A data set of params.yaml.", autocompletion=_names.data)],
    outputs: Annotated[bool, typer.Option("--outputs", help="Also delete what was made from it.")] = False,
    dry_run: DryRun = False,
    force: Annotated[
        bool, typer.Option("--force", help="Remove it even if git does not have its line as it is now.")
    ] = False,
) -> None:
    """Remove a data set that no experiment uses: its line of params.yaml. Your files stay."""
    from genpipe import paths
    from genpipe.project import datasets, lock

    root = paths.root()
    plan = lock.carry_out(
        root, lambda project: datasets.data_removal(project, name, outputs=outputs, force=force), dry_run=dry_run
    )
    left = [] if outputs else datasets.data_outputs(root, name)
    tell_removed(plan, dry_run, left, f"genpipe data remove {name} --outputs")


@app.command("list", epilog=examples("data list"))
def list_data(json: AsJson = False) -> None:
    """List the data sets of the project."""
    from genpipe.config.project import load_project

    project = load_project()
    rows = [_row(project, name) for name in project.index.datasets]
    if json:
        _screen.as_json(rows)
    elif rows:
        _screen.table(rows)
    else:
        _screen.say("There are no data sets yet. `genpipe data add` adds one, `genpipe list data` shows the sources.")


@app.command(epilog=examples("data inspect"))
def inspect(
    name: Annotated[str, typer.Argument(help="A data set of params.yaml.", autocompletion=_names.data)],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Picture to write. Default: NAME.png.")] = None,
    images: Annotated[int, typer.Option("--images", "-n", min=1, max=10_000, help="Number of images to show.")] = 64,
    force: Annotated[bool, typer.Option("--force", help="Replace the picture if it exists.")] = False,
    json: AsJson = False,
) -> None:
    """Inspect a data set: contact sheet, classes, sizes, duplicates, broken files."""
    from genpipe.config.project import load_project

    picture = out or Path(f"{name}.png")
    data = load_project().data(name)
    if picture.exists() and not force:
        raise ExistsError(f"{picture} exists. Give another -o, or --force to replace it.")
    found, fields = _looked(data, images), data.spec().fields
    _save(found, picture)
    _screen.as_json(_summary(found, fields, picture)) if json else _tell(found, fields, picture)


def _row(project: "Project", name: str) -> dict[str, Any]:
    """Returns what is known of a data set without reading its source."""
    import numpy as np

    from genpipe import paths
    from genpipe.files import read_json

    common = project.data(name).common
    row: dict[str, Any] = {
        "name": name,
        "source": common.source,
        "image_size": written(common.image_size),
        "resize_mode": common.resize_mode,
    }
    folder = project.root / paths.data(name)
    if not (folder / "meta.json").exists():
        return {**row, "channels": common.channels, "classes": None, "train": None, "test": None}
    spec = read_json(folder / "meta.json")["data_spec"]
    counts = {s: len(np.load(folder / f"{s}_images.npy", mmap_mode="r")) for s in ("train", "test")}
    return {**row, "channels": spec["channels"], "classes": len(spec["classes"]), **counts}


def _looked(data: "Data", images: int) -> "Inspection":
    from genpipe.dataset.inspecting import inspect_source
    from genpipe.dataset.working import Target
    from genpipe.interfaces.sources import fields_of
    from genpipe.running.counting import counting

    common, spec = data.common, data.spec()
    fields = fields_of(data.opened, common.image_size, None)
    target = Target(common.image_size, spec.channels, common.resize_mode, data.seed, common.binarize, fields)
    with counting(data.name, "images") as shown:
        return inspect_source(
            data.opened, target, common.max_images, common.exclude_classes, images=images, shown=shown
        )


def _save(found: "Inspection", picture: Path) -> None:
    from PIL import Image

    from genpipe.files import atomic_file

    sheet = found.sheet[..., 0] if found.sheet.shape[2] == 1 else found.sheet
    if sheet.size:
        with atomic_file(picture) as temporary:
            Image.fromarray(sheet).save(temporary, format="PNG")


def _summary(found: "Inspection", fields: "Fields", picture: Path) -> dict[str, Any]:
    return {
        "classes": {name: dict(zip(("train", "test"), counts, strict=True)) for name, counts in found.classes.items()},
        "classes_without_training_images": found.untrained,
        "sizes": [{"width": w, "height": h, "images": n} for (w, h), n in found.sizes.most_common()],
        "duplicates": [{"image": image, "same_as": first} for image, first in found.duplicates],
        "duplicates_across_splits": found.leaked,
        "broken": [{"image": name, "reason": why} for name, why in found.broken],
        "split_folders": list(found.split_names),
        "unused_images": dict(found.unused_images),
        "skipped_files": dict(found.skipped_files),
        "fields": {name: _described(found, name, spec) for name, spec in fields.items()},
        "beside_the_first_image": list(found.beside),
        "sheet": str(picture) if found.sheet.size else None,
    }


def _described(found: "Inspection", name: str, spec: "FieldSpec") -> dict[str, Any]:
    known = {"kind": spec.kind, "shape": list(spec.shape), "size": spec.size, "names": list(spec.names)}
    pixels = found.label_pixels.get(name)
    return known if pixels is None else {**known, "pixels": pixels.tolist()}


def _tell_fields(found: "Inspection", fields: "Fields") -> None:
    if fields:
        shapes = {name: "×".join(map(str, spec.shape)) for name, spec in fields.items()}
        _screen.table([{"field": name, "kind": fields[name].kind, "shape": of} for name, of in shapes.items()])
        _screen.say("")
    for name, pixels in found.label_pixels.items():
        names = fields[name].labels
        shares = [f"{label} {share:.1%}" for label, share in zip(names, pixels / pixels.sum(), strict=True) if share]
        _screen.say(f"labels of {name}: {_screen.listed(shares, NAMED)}")
        if unused := [label for label, count in zip(names, pixels.tolist(), strict=True) if not count]:
            _screen.say(f"  no pixel has: {_screen.listed(unused, NAMED)}")


def _tell(found: "Inspection", fields: "Fields", picture: Path) -> None:
    from genpipe.dataset.picture_files import counted

    counts = {**found.classes, "in all": [sum(split) for split in zip(*found.classes.values(), strict=True)]}
    _screen.table([{"class": name, "train": train, "test": test} for name, (train, test) in counts.items()])
    _screen.say("")
    _tell_fields(found, fields)
    if found.untrained:
        _screen.say(f"No training images, so neither generated nor scored: {_screen.listed(found.untrained, NAMED)}")
    if found.split_names:
        _screen.say(f"splits: train is {found.split_names[0]}, test is {found.split_names[1]}")
    if found.unused_images:
        _screen.say(f"left out, in neither train nor test: {counted(found.unused_images)}")
    if found.skipped_files:
        _screen.say(f"skipped, not pictures: {counted(found.skipped_files)}")
    _screen.say(f"sizes (height×width): {_sizes(found)}")
    _screen.say(f"duplicates: {len(found.duplicates)}, {found.leaked} of them across splits")
    _some(f"{image} = {first}" for image, first in found.duplicates[: NAMED + 1])
    _screen.say(f"broken: {len(found.broken)}")
    _some(f"{name}: {why}" for name, why in found.broken[: NAMED + 1])
    if found.broken:
        _screen.say("  Repair or remove them, or leave them out: set `skip_broken: true` for the data set.")
    _screen.say(f"Wrote {picture}." if found.sheet.size else "No picture can be read, so there is no contact sheet.")
    if found.beside and found.sheet.size:
        _screen.say(f"Its first row shows the first image, and beside it {', '.join(found.beside)}.")


def _sizes(found: "Inspection") -> str:
    common = [f"{h}×{w} ({n})" for (w, h), n in found.sizes.most_common(5)]
    return ", ".join(common) + (f" and {len(found.sizes) - 5} more" if len(found.sizes) > 5 else "")


def _some(lines: Any) -> None:
    for number, line in enumerate(lines):
        _screen.say(f"  {line}" if number < NAMED else "  … (--json lists all)")
