"""Codes of a trained experiment on the command line: encoding, decoding, interpolation and arithmetic."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from genpipe import paths, registry
from genpipe.analyses.traversal import changed, turned
from genpipe.artifacts.models import load_trained
from genpipe.config.project import Project
from genpipe.dataset.natural_order import natural_order
from genpipe.dataset.picture_files import PictureFiles
from genpipe.dataset.reading import Images, Reading, readable, source_at
from genpipe.dataset.storage import Prepared
from genpipe.dataset.working import Target
from genpipe.errors import DataError, UnknownName, UsageError, shortened
from genpipe.files import array_names, opened_array, read_array
from genpipe.interfaces.generative import Decodes, Encodes, Generative, Reconstructs
from genpipe.interfaces.sources import Source
from genpipe.interfaces.spec import DataSpec
from genpipe.nn.batched_inference import decoded
from genpipe.nn.image_grid import grid
from genpipe.nn.latent_space import PATHS, Codes, Pixels, encoded, of_prior, quantiles, round_trip, way
from genpipe.sampling.drawing import reconstruct_images
from genpipe.sampling.given import ConditionReader
from genpipe.schema import Strict

_NUMBERS = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*")
_ARRAYS = (".npy", ".npz")
_MAX_CODES_BYTES = 2**30
_DRAWN = 10_000
_TAIL = 0.025
MOST_IMAGES = 10_000
"""The maximum number of images in one picture."""
Picture = UInt8[np.ndarray, "*f H W k"]
Capability = type | tuple[type, ...]


@dataclass(frozen=True)
class TrainedModel:
    """A trained model, the description of its images, and the folder of its data set."""

    name: str
    model: Generative
    spec: DataSpec
    resize_mode: str
    data: Path
    derivations: Mapping[str, Strict]
    """The fields that the data set makes of its images."""
    reading: Reading
    """Options for reading pictures."""

    @classmethod
    def of(cls, project: Project, name: str, needed: Capability, reading: Reading) -> "TrainedModel":
        """Returns the model of an experiment. Raises UnknownName, or UsageError if it cannot do what is needed."""
        if name not in project.index.experiments:
            raise UnknownName(name, f"experiment in {paths.INDEX}", project.index.experiments)
        experiment = project.experiment(name)
        verify_capable(name, experiment.model_name, registry.load("models", experiment.model_name), needed)
        model, data = load_trained(project.root, experiment), experiment.data
        folder = project.root / paths.data(data.name)
        return cls(name, model, model.init_args[1], data.common.resize_mode, folder, data.derivations, reading)

    @property
    def condition_reader(self) -> ConditionReader:
        """What makes conditions of pictures."""
        return ConditionReader(self.name, self.spec, self.resize_mode, self.derivations, self.reading)

    def images(self, words: Sequence[str]) -> Pixels:
        """Returns the images that words mean: paths, or held-out numbers ("7", "0-3,9"). Raises Usage- or DataError.

        Those of a folder or an archive come in the natural order of their names.
        """
        return np.concatenate([self._images(word).images for word in words])

    def codes(self, words: Sequence[str]) -> Codes:
        """Returns the codes that words mean: of images, or from an array [n d] in a .npy or .npz file."""
        return np.concatenate([self.named_codes(word)[0] for word in words])

    def starts(self, words: Sequence[str], n: int, seed: int) -> Codes:
        """Returns the codes that words mean; without words, those of the first held-out images, or of the prior."""
        if words:
            return self.codes(words)
        return self.codes([f"0-{n - 1}"]) if isinstance(self.model, Encodes) else of_prior(self.model, n, seed)

    def named_codes(self, word: str) -> tuple[Codes, Sequence[str]]:
        """Returns the codes that a word means, and the names of their rows."""
        array = _array(Path(word)) if Path(word).suffix in _ARRAYS and not _NUMBERS.fullmatch(word) else None
        if array is None:
            if not isinstance(self.model, Encodes):
                raise UsageError(
                    f"{self.name} encodes no images; give codes, an array of numbers [n d], instead of {word}."
                )
            found = self._images(word)
            return encoded(self.model, found.images), found.names or ()
        verify_codes(array, word, self.model, self.name)
        return array.astype(np.float32), _numbered(word, len(array))

    def _images(self, word: str) -> Images:
        return self._held_out(word) if _NUMBERS.fullmatch(word) else self._read(Path(word))

    def _held_out(self, word: str) -> Images:
        images = Prepared.open(self.data).images("test")
        rows = [row for span in numbered(word, len(images)) for row in span]
        return Images(np.array(images[rows]), [str(row) for row in rows])

    def _read(self, path: Path) -> Images:
        if not path.exists():
            raise UsageError(f"there is no {path}; give a file or folder, or numbers of held-out images such as 0-5.")
        source = source_at(path)
        collection = source.collection(0)
        if self.spec.channels == 1 and _has_colors(source):
            self.reading.told(f"{path}: colors are made gray, for {self.name} is trained on gray images.")
        target = Target(self.spec.image_size, self.spec.channels, self.resize_mode)
        pieces = list(readable(collection, target, self.reading))
        images = np.concatenate([piece.images for piece in pieces])
        if collection.names is None:
            return Images(images, _numbered(str(path), len(images)))
        names = [collection.names[row] for piece in pieces for row in piece.rows.tolist()]
        order = natural_order(names)
        return Images(images[order], [names[row] for row in order])


def encoding(trained: TrainedModel, words: Sequence[str]) -> tuple[Codes, list[str]]:
    """Returns the codes and the names of images; those of files in the natural order of their names."""
    found = [trained.named_codes(word) for word in words]
    return np.concatenate([codes for codes, _ in found]), [name for _, names in found for name in names]


def numbered(word: str, count: int) -> list[range]:
    """Returns the numbers that a word such as "0-3,9" means. Raises UsageError before it expands them."""
    ends = [[float(end) for end in part.split("-")] for part in word.split(",")]  # a float holds any number of digits
    spans = [(first, last[0] if last else first) for first, *last in ends]
    shown = shortened(word)
    if max(max(span) for span in spans) >= count:
        raise UsageError(f"{shown} means no held-out images; there are those from 0 to {count - 1}.")
    if backwards := next((f"{last:.0f}-{first:.0f}" for first, last in spans if first > last), None):
        raise UsageError(f"{shown} runs backwards; write {backwards}.")
    found = [range(int(first), int(last) + 1) for first, last in spans]
    if sum(map(len, found)) > count:
        raise UsageError(f"{shown} means more images than the {count} held-out ones that there are.")
    return found


def verify_codes(z: Codes, what: str, model: Generative, name: str) -> None:
    """Raises UsageError if codes do not fit the model."""
    if isinstance(model, Decodes) and z.shape[1] != (d := of_prior(model, 1, 0).shape[1]):
        raise UsageError(f"{what} has codes of {z.shape[1]} numbers; those of {name} have {d}.")


def _verify_few(images: int) -> None:
    """Raises UsageError if a picture would show too many."""
    if images > MOST_IMAGES:
        raise UsageError(f"that makes {images:,} images, and at most {MOST_IMAGES:,} are made at once. Ask for fewer.")


def reconstruction(trained: TrainedModel, words: Sequence[str]) -> tuple[Picture, Pixels]:
    """Returns a picture of images above their reconstructions, and the reconstructions."""
    assert isinstance(trained.model, Reconstructs)
    images = trained.images(words)
    _verify_few(len(images))
    rebuilt = reconstruct_images(trained.model, images)
    assert rebuilt is not None
    return grid(np.concatenate([images, rebuilt]), len(images)), rebuilt


def decoding(trained: TrainedModel, words: Sequence[str]) -> tuple[Picture, Pixels]:
    """Returns a picture of the images of codes, in a nearly square grid, and the images."""
    z = trained.codes(words)
    _verify_few(len(z))
    images = decoded(trained.model, z)
    return grid(images, int(np.ceil(np.sqrt(len(images))))), images


def interpolation(
    trained: TrainedModel, words: Sequence[str], *, path: str, images: int, animate: bool, seed: int
) -> tuple[Picture, Pixels]:
    """Returns a row of images along each path from one code to the next, or one animation through all codes."""
    shown = interpolated(trained.model, trained.starts(words, 6, seed), path, images, animate)
    return np.stack([grid(image[None], 1) for image in shown]) if animate else grid(shown, images), shown


def interpolated(
    model: Generative, z: Codes, path: str, images: int, moving: bool = False
) -> UInt8[np.ndarray, "m c h w"]:
    """Returns the images along each path from one code to the next; an animation also returns to the first."""
    if path not in PATHS:
        raise UnknownName(path, "path between codes", PATHS)
    if len(z) < 2:
        raise UsageError("interpolation needs two codes or images, and there is one.")
    _verify_few(images * len(z))
    if moving:
        return decoded(model, round_trip(PATHS[path], z, images))
    return decoded(model, np.concatenate([way(PATHS[path], a, b, images) for a, b in pairwise(z)]))


def traversal(
    trained: TrainedModel, words: Sequence[str], *, codes: int, images: int, seed: int
) -> tuple[Picture, Pixels]:
    """Returns a row for each number of a code over the quantiles of the prior, those that change most first."""
    z = trained.starts(words, 1, seed)
    _verify_few(images * min(codes, z.shape[1]))
    places = quantiles(of_prior(trained.model, _DRAWN, seed), images, _TAIL)
    order = np.argsort(-changed(trained.model, z, places[[0, -1]]), kind="stable")[:codes].tolist()
    rows = [turned(z[:1], code, places[:, code]) for code in order]
    shown = decoded(trained.model, np.concatenate(rows))
    return grid(shown, images), shown


def arithmetic(trained: TrainedModel, a: str, b: str, c: str) -> tuple[Picture, Pixels]:
    """Returns images of z_a, z_b, z_c and z_a − z_b + z_c, each the mean of the codes that a word means."""
    first, second, third = (trained.codes([word]).astype(np.float64).mean(0) for word in (a, b, c))
    shown = decoded(trained.model, np.stack([first, second, third, first - second + third]))
    return grid(shown, 4), shown


def verify_capable(name: str, model_name: str, kind: type, needed: Capability) -> None:
    """Raises UsageError, with the models that can, if a model is of a kind that cannot do what is needed.

    Of several capabilities one is enough; they are called as the first of them.
    """
    if not issubclass(kind, needed):
        able = [other for other in registry.names("models") if issubclass(registry.load("models", other), needed)]
        verb = (needed[0] if isinstance(needed, tuple) else needed).__name__.lower()
        raise UsageError(
            f"{name} is a {model_name}, which {verb} nothing. Models that do: {', '.join(able) or 'none'}."
        )


def _numbered(word: str, rows: int) -> list[str]:
    """What the rows are called that have no names of their own."""
    return [word] if rows == 1 else [f"{word}:{row}" for row in range(rows)]


def _has_colors(source: Source) -> bool:
    return any(source.listing.colored) if isinstance(source, PictureFiles) else source.channels == 3


def _array(path: Path) -> Float[np.ndarray, "n d"] | None:
    """The codes in a file; None if its first array holds something else. Raises DataError if it cannot be read."""
    if not path.exists() or not (names := array_names(path)):
        return None
    with opened_array(path, names[0]) as (header, _):
        if header.dtype.kind != "f" or len(header.shape) != 2:
            return None
        if header.size_bytes > _MAX_CODES_BYTES:
            raise DataError(f"{path}: {header.shape[0]:,} codes are too many; give at most {_MAX_CODES_BYTES:,} bytes.")
    return read_array(path, names[0])
