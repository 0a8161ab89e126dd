"""What looks at images and models and says how good they are."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, Literal, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from genpipe.interfaces.sources import Counts, Known
from genpipe.interfaces.systems import Generative, ImageSpec
from genpipe.schema import Strict

T = TypeVar("T")


Arrays = Mapping[str, np.ndarray]


def _made(_: "Statistic[Any]", make: Callable[[], Arrays]) -> Arrays:
    return make()


@dataclass(frozen=True, eq=False)  # itself only, so that what was made of it can be remembered
class Evidence:
    """A set of images as a score sees it: the pixels, and what an extractor made of them."""

    images: UInt8[np.ndarray, "n c h w"]
    features: Float[np.ndarray, "n d"]
    probabilities: Float[np.ndarray, "n k"] | None = None
    """Of classes, where the extractor gives them."""
    labels: Int[np.ndarray, "n"] | None = None
    """The class that each image shows, or was asked to show, where there are classes."""
    label_known: Bool[np.ndarray, "n"] | None = None
    """Of which images a system that learns from few labels may know the label; None: of all."""
    factors: Mapping[str, np.ndarray] = field(default_factory=dict)
    """What decided each image, by name, where the source knows; the type says of what kind it is: see `Chunk`."""
    kept: "Callable[[Statistic[Any], Callable[[], Arrays]], Arrays]" = _made
    """The arrays of a `Statistic` of these images: stored before, or made now, and then stored if there is a place."""

    def part(self, which: slice | Int[np.ndarray, "k"]) -> "Evidence":
        """The evidence of some of the images."""
        columns = (self.images, self.features, self.probabilities, self.labels, self.label_known)
        some = Evidence(*(None if column is None else column[which] for column in columns))  # type: ignore[arg-type]
        return replace(some, factors={name: values[which] for name, values in self.factors.items()})


class Statistic(Generic[T]):
    """What a metric makes of a set of images alone, be it generated or real.

    It is made of each set once; that of the training images is stored, for all experiments.
    """

    def __init__(self, name: str, kind: Callable[..., T], made: Callable[[Evidence], T]) -> None:
        """`kind` is a dataclass of arrays, `made` gives one of them."""
        self.name, self.kind, self.made = name, kind, made
        self._known: WeakKeyDictionary[Evidence, T] = WeakKeyDictionary()

    def of(self, images: Evidence) -> T:
        """The statistic of a set: remembered, or stored with it, or made now."""
        if images not in self._known:
            self._known[images] = self.kind(**images.kept(self, lambda: vars(self.made(images))))
        return self._known[images]


@dataclass(frozen=True)
class Real:
    """The real images: those that the model was trained on, and those that it never saw."""

    training: Evidence
    held_out: Evidence
    teach: "Callable[[np.ndarray, np.ndarray, int], Extractor] | None" = None
    """Trains a new in-domain classifier on uint8 images [n c h w] and their labels [n], from a seed."""


@dataclass(frozen=True)
class Score:
    """One figure and how it was made."""

    value: float
    how: Mapping[str, object] = field(default_factory=dict)
    interval: tuple[float, float] | None = None
    """Where the figure lies with 95 % confidence, by how it differs between disjoint subsets of the images."""


class Extractor(ABC):
    """Sees images and gives features, and class probabilities where it has classes.

    It is built from its own `Config` and the data's `ImageSpec`; one that is also `Trainable` is trained on each data
    set. Raises Unsuitable if it cannot see such images, WeightsMissing if its weights are not there.
    """

    Config: ClassVar[type[Strict]]

    @abstractmethod
    def __init__(self, config: Any, spec: ImageSpec) -> None: ...

    @classmethod
    def watched(cls, config: Any) -> str | None:
        """The file of a person's own that it reads, a change of which DVC must notice."""
        return None

    @abstractmethod
    def extract(self, images: UInt8[np.ndarray, "n c h w"]) -> Evidence:
        """Features [n d] float32, and class probabilities [n k] float32 or None, of uint8 images."""

    @abstractmethod
    def described(self) -> Mapping[str, object]:
        """What tells its figures from another's, ready for JSON.

        `resizer`, `values` (how uint8 becomes what it is given) and `precision`; `weights_sha256` if it has weights.
        """


Sight = Literal["features", "probabilities", "pixels", "labels", "pixel pairs", "feature pairs"]
"""Pairs: image k of the given ones is to be what image k of the held-out ones is."""


RealSplit = Literal["none", "train", "test", "train and test"]
"""Real images: those that the model was trained on, and those that it never saw."""


class Judge:
    """What metrics and analyses have in common: they say what they need of the data before anything runs."""

    Config: ClassVar[type[Strict]]
    lowered: ClassVar[Mapping[str, Any]] = {}
    """Knobs by which fewer images will do, each with the value that asks for the fewest."""

    def __init__(self, config: Any) -> None:
        self.config = config

    @property
    def least_images(self) -> Counts:
        """The fewest images of each kind with which it finds anything."""
        return Counts()

    def too_few(self, images: Counts) -> str | None:
        """What to say if there are too few images, and what to do; None if there are enough."""
        short = images.short_of(self.least_images)
        if short is None:
            return None
        fewest = type(self)(self.config.model_copy(update=dict(self.lowered))).least_images
        knobs = " and ".join(f"`{knob}`" for knob in self.lowered)
        return f"it needs {short}; {'' if images.short_of(fewest) else f'lower {knobs}, or '}remove it."

    def missing(self, known: Known) -> str | None:
        """What else it needs and the data have not, and what to do; None if nothing."""
        return None


class Metric(Judge, ABC):
    """A score of images against real ones."""

    title: ClassVar[str]
    meaning: ClassVar[str]
    """Two sentences for the report: what it says, and what it misses."""
    lower_is_better: ClassVar[bool | None]
    """None where neither end of the scale is good."""
    looks_at: ClassVar[Sight] = "features"
    """What of the evidence decides the score; it is made for every extractor that gives that, of pixels only once."""

    least_pixels: ClassVar[int] = 1
    """The shortest side of images that it can score."""
    by_step: ClassVar[bool] = False
    """Whether samples that were drawn during the training are scored too: a curve."""
    real_split: ClassVar[RealSplit] = "train"
    """With which real images it compares others."""
    gives_nothing: ClassVar[str] = ""
    """When it has no score for as many images as it needs at least, for whoever misses it."""

    def missing(self, known: Known) -> str | None:
        side = known.spec.height
        told = f"needs images of {self.least_pixels} pixels a side, these have {side}; remove it."
        return told if side < self.least_pixels else None

    @abstractmethod
    def scores(self, images: Evidence, real: Real, extractor: str, seed: int) -> Mapping[str, Score]:
        """Scores by name, each name saying what made it: "fid_classifier".

        A deviation is called like its score with "_std" appended.
        """


def pixels_only(images: UInt8[np.ndarray, "n c h w"]) -> Evidence:
    """The evidence without an extractor: an image's features are its pixels."""
    return Evidence(images, images.reshape(len(images), -1).astype(np.float32))


@dataclass(frozen=True)
class Subject:
    """What an analysis looks at: a trained model, its samples, the data it learned from, and the scores."""

    model: Generative
    samples: Evidence
    real: Real
    seed: int
    see: Callable[[np.ndarray], Evidence] = pixels_only
    """What the extractor makes of uint8 images [n c h w]."""
    scorer: Callable[[Evidence, Sequence[str]], Mapping[str, float]] = lambda images, metrics: {}
    """The scores of images by name, as `evaluate` makes them of samples, of those metrics that are named."""
    curves: Sequence[Mapping[str, float]] = ()
    """What the training noted: a row a logging step, with `step` among its columns."""
    scores_by_step: Sequence[Mapping[str, float]] = ()
    """The scores of samples that were drawn during the training, likewise."""


@dataclass(frozen=True)
class Findings:
    """What an analysis found: pictures with a caption, and figures, by name; frames [f h w c] are a moving picture."""

    pictures: Mapping[str, tuple[UInt8[np.ndarray, "*f h w c"], str]] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)


class Analysis(Judge, ABC):
    """A latent tool or a check of a claim, for every model with the capabilities that it requires."""

    requires: ClassVar[tuple[type, ...]] = ()
    metrics: ClassVar[tuple[str, ...]] = ()
    """Those that it asks the subject's scorer for; the experiment needs them among its own."""
    sees_outliers: ClassVar[bool] = False
    """Whether the held-out images are to be those of classes without training images too."""

    @abstractmethod
    def run(self, subject: Subject) -> Findings:
        """Pictures and figures."""
