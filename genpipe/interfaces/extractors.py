"""What makes features of images, and sets of images with their features."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from genpipe.interfaces.spec import DataSpec
from genpipe.schema import Strict

T = TypeVar("T")
Arrays = Mapping[str, np.ndarray]


def _made(_: "Statistic[Any]", make: Callable[[], Arrays]) -> Arrays:
    return make()


@dataclass(frozen=True, eq=False)  # itself only, so that what was made of it can be remembered
class FeatureSet:
    """A set of images as a score sees it: the pixels, and what an extractor made of them."""

    images: UInt8[np.ndarray, "n c h w"]
    features: Float[np.ndarray, "n d"]
    probabilities: Float[np.ndarray, "n k"] | None = None
    """Of classes, where the extractor gives them."""
    labels: Int[np.ndarray, "n"] | None = None
    """The class that each image shows, or was asked to show, where there are classes."""
    label_known: Bool[np.ndarray, "n"] | None = None
    """Of which images a model that learns from few labels may know the label; None: of all."""
    factors: Mapping[str, np.ndarray] = field(default_factory=dict)
    """What decided each image, by name, where the source knows; the type says of what kind it is: see `Chunk`."""
    stored_statistics: "Callable[[Statistic[Any], Callable[[], Arrays]], Arrays]" = _made
    """The arrays of a `Statistic` of these images: stored before, or made now, and then stored if there is a place."""

    def part(self, which: slice | Int[np.ndarray, "k"]) -> "FeatureSet":
        """The features of some of the images."""
        columns = (self.images, self.features, self.probabilities, self.labels, self.label_known)
        some = FeatureSet(*(None if column is None else column[which] for column in columns))  # type: ignore[arg-type]
        return replace(some, factors={name: values[which] for name, values in self.factors.items()})


class Statistic(Generic[T]):
    """What a metric makes of a set of images alone, be it generated or real.

    It is made of each set once; that of the training images is stored, for all experiments.
    """

    def __init__(self, name: str, kind: Callable[..., T], made: Callable[[FeatureSet], T]) -> None:
        """`kind` is a dataclass of arrays, `made` gives one of them."""
        self.name, self.kind, self.made = name, kind, made
        self._known: WeakKeyDictionary[FeatureSet, T] = WeakKeyDictionary()

    def of(self, images: FeatureSet) -> T:
        """The statistic of a set: remembered, or stored with it, or made now."""
        if images not in self._known:
            self._known[images] = self.kind(**images.stored_statistics(self, lambda: vars(self.made(images))))
        return self._known[images]


@dataclass(frozen=True)
class Real:
    """The real images: those that the model was trained on, and those that it never saw."""

    training: FeatureSet
    held_out: FeatureSet
    train_extractor: "Callable[[np.ndarray, np.ndarray, int], Extractor] | None" = None
    """Trains a new in-domain classifier on uint8 images [n c h w] and their labels [n], from a seed."""


class Extractor(ABC):
    """Sees images and gives features, and class probabilities where it has classes.

    It is built from its own `Config` and the data's `DataSpec`; one that is also `Trainable` is trained on each data
    set. Raises Unsuitable if it cannot see such images, WeightsMissing if its weights are not there.
    """

    Config: ClassVar[type[Strict]]

    @abstractmethod
    def __init__(self, config: Any, spec: DataSpec) -> None: ...

    @classmethod
    def watched_path(cls, config: Any) -> str | None:
        """The file of a person's own that it reads, a change of which DVC must notice."""
        return None

    @abstractmethod
    def extract(self, images: UInt8[np.ndarray, "n c h w"]) -> FeatureSet:
        """Features [n d] float32, and class probabilities [n k] float32 or None, of uint8 images."""

    @abstractmethod
    def described(self) -> Mapping[str, object]:
        """What tells its figures from another's, ready for JSON.

        `resizer`, `values` (how uint8 becomes what it is given) and `precision`; `weights_sha256` if it has weights.
        """


def pixels_only(images: UInt8[np.ndarray, "n c h w"]) -> FeatureSet:
    """The features without an extractor: an image's features are its pixels."""
    return FeatureSet(images, images.reshape(len(images), -1).astype(np.float32))
