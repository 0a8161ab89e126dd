"""Scores of any two sets of images, without a pipeline: data sets, experiments, folders, archives, arrays."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from genpipe import paths, registry
from genpipe.config import Project
from genpipe.data._decoding import decoded
from genpipe.data._preparing import finished
from genpipe.data._storage import ArrayFile, Prepared
from genpipe.data._working import Target, cores
from genpipe.errors import UnknownName, UsageError
from genpipe.evaluation import VERSIONS, View, finite, of_pairs, scored, unscored
from genpipe.interfaces import Extractor, ImageSpec, Real, Source, Trainable
from genpipe.pairing import paired
from genpipe.reference import load_extractor
from genpipe.sampling import load_samples

_KINDS = {".npy": "arrays", ".npz": "arrays"}


@dataclass(frozen=True)
class Given:
    """A set of images to score, or to score against."""

    images: UInt8[np.ndarray, "n c h w"]
    held_out: UInt8[np.ndarray, "m c h w"] | None = None
    """Of a prepared data set, whose training images the others are."""
    rebuilt: UInt8[np.ndarray, "m c h w"] | None = None
    """Of an experiment that reconstructs: the held-out images of its data set, row by row."""
    names: Sequence[str] | None = None
    """What the files of the images are called, where they lie in files."""


def score(
    fake: str, real: str, metrics: list[str], features: str, *, size: int | None, seed: int, project: Project | None
) -> dict[str, Any]:
    """Each score with how it was made. Raises UsageError for sets that do not compare, and what reading them raises."""
    with TemporaryDirectory(prefix="genpipe-") as scratch:
        drawn, against = (given(what, size, Path(scratch) / str(i), project) for i, what in enumerate((fake, real)))
        if drawn.images.shape[1:] != against.images.shape[1:]:
            shapes = " and ".join("×".join(map(str, one.images.shape[1:])) for one in (drawn, against))
            raise UsageError(f"{fake} and {real} have images of {shapes} (channels×height×width); give --size.")
        made = {name: registry.load("metrics", name) for name in metrics}
        _verify(made, against, real)
        partners, paired_by = _pairs(fake, drawn, real, against) if any(map(of_pairs, made.values())) else (None, "")
        view = _view(drawn, against, features, partners)
        configs = {name: kind.Config() for name, kind in made.items()}
        scores, how = scored(configs, [view], seed)
        if silent := unscored(configs, [view], how):
            raise UsageError(" ".join(f"{name} gives no score: {why}." for name, why in silent.items()))
    values, told = finite(scores)
    for text in told:
        warnings.warn(text, stacklevel=2)
    for one in how.values():
        one |= {"pairs": paired_by} if of_pairs(made[one["metric"]]) else {}
    return {name: {"value": value, **how.get(name, {}), "versions": VERSIONS} for name, value in values.items()}


def given(what: str, size: int | None, scratch: Path, project: Project | None) -> Given:
    """The images that a word on the command line means: a data set, an experiment, or a path."""
    if project and what in project.index.datasets:
        prepared = Prepared.open(project.root / paths.data(what))
        return Given(prepared.images("train"), prepared.images("test"))
    if project and what in project.index.experiments:
        samples = load_samples(project.root / paths.samples(what))
        return Given(samples.images, rebuilt=samples.rebuilt)
    if not Path(what).exists():
        known = [*project.index.datasets, *project.index.experiments] if project else []
        raise UnknownName(what, "data set, experiment or path", known)
    return _read(source_at(Path(what)), size, scratch)


def source_at(path: Path) -> Source:
    """What reads the images in a folder, an archive or a file of arrays."""
    kind = "folder" if path.is_dir() else _KINDS.get(path.suffix, "archive")
    made = registry.load("data", kind)
    return made(made.Config(path=str(path.resolve())), Path())


def _read(source: Source, size: int | None, scratch: Path) -> Given:
    """All images of a source, memory-mapped; in their own size, if none is given."""
    collection = source.collection(0)
    rows = np.arange(len(collection.parts))
    target = Target(size or _own_size(collection.read(rows[:1]), source.channels), source.channels)
    scratch.mkdir()
    file = ArrayFile(scratch / "images.npy")
    for piece in finished(collection, rows, target, cores()):
        if piece.broken:
            name, why = piece.broken[0]
            raise UsageError(f"{name} cannot be read: {why}. Mend or remove it.")
        file.append(piece.images)
    file.close()
    return Given(np.load(scratch / "images.npy", mmap_mode="r", allow_pickle=False), names=collection.names)


def _own_size(chunks: Any, channels: int) -> int:
    first = next(iter(chunks)).images
    height, width = first.shape[1:3] if isinstance(first, np.ndarray) else decoded(first[0][1], channels).shape[:2]
    if height != width:
        raise UsageError(f"the first picture has {width}×{height} pixels, and squares are scored; give --size.")
    return int(height)


def _pairs(fake: str, drawn: Given, real: str, against: Given) -> tuple[Int[np.ndarray, "m"], str]:
    """For each held-out real image the row of its partner, and how they were paired."""
    images = drawn.images if drawn.rebuilt is None else drawn.rebuilt
    truth = against.images if against.held_out is None else against.held_out
    return paired((fake, len(images), drawn.names), (real, len(truth), against.names))


def _view(drawn: Given, against: Given, features: str, partners: Int[np.ndarray, "m"] | None) -> View:
    extractor, described = _extractor(features, ImageSpec(*drawn.images.shape[1:]))
    seen = [extractor.extract(images) for images in (drawn.images, against.images)]
    floor = None if against.held_out is None else extractor.extract(against.held_out)
    real, rebuilt = Real(seen[1], floor or seen[1]), None
    if partners is not None:
        rebuilt = (seen[0] if drawn.rebuilt is None else extractor.extract(drawn.rebuilt)).part(partners)
    return View(str(described["extractor"]), described, real, seen[0], floor, rebuilt)


def _extractor(features: str, spec: ImageSpec) -> tuple[Extractor, Mapping[str, Any]]:
    name, _, path = features.partition(":")
    kind = registry.load("extractors", name)
    if issubclass(kind, Trainable):
        if not path:
            raise UsageError(f"{name} is trained on a data set; say which: {name}:runs/reference/DATA/{name}.")
        return load_extractor(Path(path))
    extractor = kind(kind.Config(**({"path": path} if path else {})), spec)
    return extractor, {"extractor": name, **extractor.described()}


def _verify(metrics: Mapping[str, Any], against: Given, real: str) -> None:
    for name, kind in metrics.items():
        if kind.looks_at == "labels":
            raise UsageError(f"{name} asks for labels of the samples, which only `dvc repro` knows. Leave it out.")
        if kind.real_split == "train and test" and against.held_out is None:
            raise UsageError(f"{name} asks for held-out real images, and {real} has none. Leave it out.")
