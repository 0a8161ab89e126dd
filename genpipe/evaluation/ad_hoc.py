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
from genpipe.artifacts.extractors import load_extractor
from genpipe.config.project import Project
from genpipe.dataset.reading import Reading, read, source_at
from genpipe.dataset.storage import Prepared
from genpipe.errors import UnknownName, UsageError
from genpipe.evaluation.pairing import paired
from genpipe.evaluation.scoring import VERSIONS, View, finite, of_pairs, scored, unscored
from genpipe.interfaces.extractors import Extractor, Real
from genpipe.interfaces.phases import Trainable
from genpipe.interfaces.spec import DataSpec
from genpipe.sampling.drawing import load_samples


@dataclass(frozen=True)
class Given:
    """A set of images to score, or to score against."""

    what: str
    """The name in messages."""
    images: UInt8[np.ndarray, "n c h w"]
    held_out: UInt8[np.ndarray, "m c h w"] | None = None
    """For a prepared data set: its training images are the others."""
    reconstructions: UInt8[np.ndarray, "m c h w"] | None = None
    """For an experiment that reconstructs: the held-out images of its data set, row by row."""
    names: Sequence[str] | None = None
    """The names of the image files, if there are files."""
    fixed: bool = False
    """Whether the images keep their size whatever size is requested."""


def score_words(
    words: tuple[str, str], metrics: Sequence[str], features: str, reading: Reading, *, seed: int
) -> dict[str, Any]:
    """Returns the scores of the first word's images against the second's: see `given` and `score`."""
    with TemporaryDirectory(prefix="genpipe-") as scratch:
        project = surrounding()
        drawn, against = (given(word, reading, Path(scratch) / f"{k}.npy", project) for k, word in enumerate(words))
        return score(drawn, against, metrics, features, seed=seed)


def surrounding() -> Project | None:
    """Returns the project around the current folder, if there is one."""
    try:
        root = paths.root()
    except UsageError:
        return None
    return Project(root)


def score(drawn: Given, against: Given, metrics: Sequence[str], features: str, *, seed: int) -> dict[str, Any]:
    """Returns each score with its protocol. Raises UsageError if sets cannot be compared, UnknownName for a metric."""
    _verify_alike(drawn, against)
    made = {name: registry.load("metrics", name) for name in metrics}
    _verify(made, against)
    partners, way = _pairs(drawn, against) if any(map(of_pairs, made.values())) else (None, "")
    view = _view(drawn, against, features, partners)
    configs = {name: kind.Config() for name, kind in made.items()}
    scores, how = scored(configs, [view], seed)
    silent = [f"{name} gives no score: {why}." for name, why in unscored(configs, [view], how).items()]
    if len(silent) == len(configs):
        raise UsageError(" ".join(silent))
    values, lost = finite(scores)
    for text in (*silent, *lost):
        warnings.warn(text, stacklevel=2)
    for one in how.values():
        one |= {"pairs": way} if of_pairs(made[one["metric"]]) else {}
    return {name: {"value": value, **how.get(name, {}), "versions": VERSIONS} for name, value in values.items()}


def given(what: str, reading: Reading, file: Path, project: Project | None) -> Given:
    """Returns the images that a word on the command line means: a data set, an experiment, or a path.

    Those of a path are written into a file, as they are to be read; the others stay as they are.
    """
    if project and what in project.index.datasets:
        prepared = Prepared.open(project.root / paths.data(what))
        return Given(what, prepared.images("train"), prepared.images("test"), fixed=True)
    if project and what in project.index.experiments:
        samples = load_samples(project.root / paths.samples(what))
        return Given(what, samples.images, reconstructions=samples.reconstructions, fixed=True)
    if not Path(what).exists():
        known = [*project.index.datasets, *project.index.experiments] if project else []
        raise UnknownName(what, "data set, experiment or path", known)
    found = read(source_at(Path(what)), reading, file)
    return Given(what, found.images, names=found.names)


def _verify_alike(*sets: Given) -> None:
    """Raises UsageError if the images of both sets differ, with the option that makes them alike."""
    shapes = [one.images.shape[1:] for one in sets]
    if len(set(shapes)) < 2:
        return
    told = " and ".join("×".join(map(str, shape)) for shape in shapes)
    fixed = [shape for one, shape in zip(sets, shapes, strict=True) if one.fixed]
    remedies = [
        f"--{option} {' or '.join(told(shape) for shape in fixed or shapes)}"
        for option, told in (("channels", _channels), ("size", _size))
        if len({told(shape) for shape in shapes}) > 1
    ]
    remedy = (
        f"give {' and '.join(remedies)}" if len(fixed) < len(shapes) else "both stay as they are, so do not compare"
    )
    named = " and ".join(one.what for one in sets)
    raise UsageError(f"{named} have images of {told} (channels×height×width); {remedy}.")


def _channels(shape: tuple[int, ...]) -> str:
    return str(shape[0])


def _size(shape: tuple[int, ...]) -> str:
    """As it is written on the command line."""
    height, width = shape[1:]
    return str(height) if height == width else f"{height}x{width}"


def _pairs(drawn: Given, against: Given) -> tuple[Int[np.ndarray, "m"], str]:
    """For each held-out real image the row of its partner, and how they were paired."""
    images = drawn.images if drawn.reconstructions is None else drawn.reconstructions
    truth = against.images if against.held_out is None else against.held_out
    return paired((drawn.what, len(images), drawn.names), (against.what, len(truth), against.names))


def _view(drawn: Given, against: Given, features: str, partners: Int[np.ndarray, "m"] | None) -> View:
    extractor, described = _extractor(features, DataSpec(*drawn.images.shape[1:]))
    seen = [extractor.extract(images) for images in (drawn.images, against.images)]
    floor = None if against.held_out is None else extractor.extract(against.held_out)
    real, pairs = Real(seen[1], floor or seen[1]), None
    if partners is not None:
        images = seen[0] if drawn.reconstructions is None else extractor.extract(drawn.reconstructions)
        pairs = images.part(partners), real.held_out
    return View(str(described["extractor"]), described, real, seen[0], floor, pairs)


def _extractor(features: str, spec: DataSpec) -> tuple[Extractor, Mapping[str, Any]]:
    name, _, path = features.partition(":")
    kind = registry.load("extractors", name)
    if issubclass(kind, Trainable):
        if not path:
            raise UsageError(f"{name} is trained on a data set; say which: {name}:runs/reference/DATA/{name}.")
        return load_extractor(Path(path))
    extractor = kind(kind.Config(**({"path": path} if path else {})), spec)
    return extractor, {"extractor": name, **extractor.described()}


def _verify(metrics: Mapping[str, Any], against: Given) -> None:
    for name, kind in metrics.items():
        if kind.input == "labels":
            raise UsageError(f"{name} asks for labels of the samples, which only `dvc repro` knows. Leave it out.")
        if kind.real_split == "train and test" and against.held_out is None:
            raise UsageError(f"{name} asks for held-out real images, and {against.what} has none. Leave it out.")
