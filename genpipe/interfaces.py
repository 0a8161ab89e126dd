"""What a system is, and what it may be able to do.

A system is a `Generative`: it declares its `Phase`s, and `fit` gives each its turn. What else it can do is said by the
capabilities it inherits from; stages, metrics and analyses ask for a capability and never for a name.

Images are float32 in [-1, 1], [batch channels height width], inside models; uint8 everywhere else.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from genpipe.schema import Strict

Images = Float[Tensor, "b c h w"]
Codes = Float[Tensor, "b d"]
Labels = Int[Tensor, "b"]
Scalar = Float[Tensor, ""]
Logs = Mapping[str, Tensor]
"""Further scalars of a loss, by name, left on the device."""


@dataclass(frozen=True)
class ImageSpec:
    """What a system knows of its data before it sees any: the shape of an image and the names of the classes."""

    channels: int
    height: int
    width: int
    classes: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ImageSpec":
        """What `dataclasses.asdict` gave, after a way through JSON."""
        return cls(**{**value, "classes": tuple(value["classes"])})

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return self.channels, self.height, self.width

    @property
    def values(self) -> int:
        """How many numbers an image has."""
        return self.channels * self.height * self.width


@dataclass(frozen=True)
class Batch:
    """Training images with what is known of each."""

    x: Images
    y: Labels | None = None


@dataclass(frozen=True)
class Phase:
    """One optimizer's turn: the weights that it moves and the loss that moves them.

    `name` is the key under `optim:` in the YAML. The weights of everything outside `module` are frozen during the turn.
    The turn comes at every `every`-th step, `repeats` times, each time with a batch of its own.
    """

    name: str
    module: nn.Module
    loss: Callable[[Batch], tuple[Scalar, Logs]]
    every: int = 1
    repeats: int = 1


class Trainable(nn.Module, ABC):
    """Anything that `fit` can train."""

    @abstractmethod
    def phases(self) -> list[Phase]:
        """The turns of one step, in order; none for a model that is fitted in closed form by `finish`."""

    def finish(self, batches: Iterable[Batch]) -> None:
        """Called once after the last step with one pass over the training images in order."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(chain(self.parameters(), self.buffers())).device


class Generative(Trainable):
    """A generative model, built from its own `Config` and the data's `ImageSpec`."""

    Config: ClassVar[type[Strict]]

    @abstractmethod
    def __init__(self, config: Strict, spec: ImageSpec) -> None:
        super().__init__()


class Generates(ABC):
    """Draws new images."""

    @abstractmethod
    def sample(self, n: int, rng: torch.Generator) -> Images:
        """n images in [-1, 1]; the same state of rng gives the same images."""


class Decodes(Generates):
    """Draws a code from a prior and decodes it."""

    @abstractmethod
    def prior(self, n: int, rng: torch.Generator) -> Codes:
        """n codes of the prior, on the device of rng."""

    @abstractmethod
    def decode(self, z: Codes) -> Images:
        """The image of each code, in [-1, 1]."""

    def sample(self, n: int, rng: torch.Generator) -> Images:
        return self.decode(self.prior(n, rng))


class Encodes(ABC):
    """Gives every image a code."""

    @abstractmethod
    def encode(self, x: Images) -> Codes:
        """The code of each image (the mean, where codes are distributions)."""


class Reconstructs(ABC):
    """Maps an image to its approximation."""

    @abstractmethod
    def reconstruct(self, x: Images) -> Images:
        """The approximation of each image, in [-1, 1]."""


# --- data -------------------------------------------------------------------------------------------------------------

SPLITS = ("train", "test")
"""The parts of every data set, in the order of their numbers."""
Pixels = UInt8[np.ndarray, "n h w c"]
Encoded = tuple[str, bytes | Path]
"""What a picture is called where it comes from, and its file: what is in it, or where it lies."""


@dataclass(frozen=True)
class Chunk:
    """Some images in a row: equally large pixels, or picture files that are yet to be decoded."""

    images: Pixels | Sequence[Encoded]
    extras: Mapping[str, np.ndarray] = field(default_factory=dict)
    """What else is known of each image, by name: an array with a row an image."""


@dataclass(frozen=True)
class Collection:
    """All the images of a source, numbered from 0, with what is known before any of them is read."""

    read: Callable[[Int[np.ndarray, "k"]], Iterable[Chunk]]
    """The images with these numbers, which rise, a few hundred at a time."""
    parts: Int[np.ndarray, "n"]
    """In which of SPLITS each image is."""
    labels: Int[np.ndarray, "n"] | None
    names: Sequence[str] | None = None
    """What the images are called where they come from."""


class Source(ABC):
    """Where images come from; it is built from its own `Config` and the folder at which relative paths begin."""

    Config: ClassVar[type[Strict]]

    @abstractmethod
    def __init__(self, config: Any, root: Path) -> None: ...

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, found without decoding pictures; none where there are no labels."""

    @property
    @abstractmethod
    def channels(self) -> int:
        """1 for grey, 3 for colour; found without decoding more than a few headers."""

    @abstractmethod
    def collection(self, seed: int) -> Collection:
        """All images; the seed decides which is in which split, if the source leaves that open."""

    @property
    def watched(self) -> str | None:
        """The path of a person's own files, which may change; None if what is read stays the same."""
        return None

    def state(self) -> str:
        """A text that changes with the files at `watched`. Raises DataError if they cannot be read."""
        return ""


# --- scores -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Evidence:
    """A set of images as a score sees it: the pixels, and what an extractor made of them."""

    images: UInt8[np.ndarray, "n c h w"]
    features: Float[np.ndarray, "n d"]
    probabilities: Float[np.ndarray, "n k"]


@dataclass(frozen=True)
class Real:
    """The real images: those that the model was trained on, and those that it never saw."""

    training: Evidence
    held_out: Evidence


@dataclass(frozen=True)
class Score:
    """One figure and how it was made."""

    value: float
    how: Mapping[str, object] = field(default_factory=dict)


class Extractor(ABC):
    """Sees images and gives features and class probabilities."""

    @abstractmethod
    def extract(self, images: UInt8[np.ndarray, "n c h w"]) -> Evidence:
        """Features [n d] float32 and class probabilities [n k] float32 of uint8 images."""


class Metric(ABC):
    """A score of images against real ones."""

    Config: ClassVar[type[Strict]]
    title: ClassVar[str]
    meaning: ClassVar[str]
    """Two sentences for the report: what it says, and what it misses."""
    lower_is_better: ClassVar[bool | None]
    """None where neither end of the scale is good."""
    on_pixels: ClassVar[bool] = False
    """Whether it looks at the pixels themselves, not at what an extractor sees."""

    def __init__(self, config: Any) -> None:
        self.config = config

    @abstractmethod
    def scores(self, images: Evidence, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        """Scores by name, each name saying what made it: "fid_classifier".

        A deviation is called like its score with "_std" appended.
        """


# --- analyses ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Subject:
    """What an analysis looks at: a trained model, its samples, and the data it learned from."""

    model: Generative
    samples: Evidence
    real: Real
    seed: int


@dataclass(frozen=True)
class Findings:
    """What an analysis found: pictures with a caption, and figures, by name."""

    pictures: Mapping[str, tuple[UInt8[np.ndarray, "h w c"], str]] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)


class Analysis(ABC):
    """A latent tool or a check of a claim, for every model with the capabilities that it requires."""

    Config: ClassVar[type[Strict]]
    requires: ClassVar[tuple[type, ...]] = ()

    def __init__(self, config: Any) -> None:
        self.config = config

    @abstractmethod
    def run(self, subject: Subject) -> Findings:
        """Pictures and figures."""
