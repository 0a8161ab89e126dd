"""Feature extractors, and sets of images with their features."""

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
    """A set of images as the input of a score: the pixels and their features."""

    images: UInt8[np.ndarray, "n c h w"]
    features: Float[np.ndarray, "n d"]
    probabilities: Float[np.ndarray, "n k"] | None = None
    """The class probabilities, if the extractor gives them."""
    labels: Int[np.ndarray, "n"] | None = None
    """The class of each image (the requested class of a sample), if there are classes."""
    label_known: Bool[np.ndarray, "n"] | None = None
    """The images whose label a model that learns from few labels may use; None: all."""
    factors: Mapping[str, np.ndarray] = field(default_factory=dict)
    """What decided each image, by name, where the source knows; the type says of what kind it is: see `Chunk`."""
    stored_statistics: "Callable[[Statistic[Any], Callable[[], Arrays]], Arrays]" = _made
    """The arrays of a `Statistic` of these images: stored before, or made now, and then stored if there is a place."""

    def part(self, which: slice | Int[np.ndarray, "k"]) -> "FeatureSet":
        """Returns the features of some of the images."""
        columns = (self.images, self.features, self.probabilities, self.labels, self.label_known)
        some = FeatureSet(*(None if column is None else column[which] for column in columns))  # type: ignore[arg-type]
        return replace(some, factors={name: values[which] for name, values in self.factors.items()})


class Statistic(Generic[T]):
    """A statistic that a metric computes from one set of images, generated or real.

    It is made of each set once; that of the training images is stored, for all experiments.
    """

    def __init__(self, name: str, kind: Callable[..., T], made: Callable[[FeatureSet], T]) -> None:
        """`kind` is a dataclass of arrays, `made` gives one of them."""
        self.name, self.kind, self.made = name, kind, made
        self._known: WeakKeyDictionary[FeatureSet, T] = WeakKeyDictionary()

    def of(self, images: FeatureSet) -> T:
        """Returns the statistic of a set: from memory, from storage, or computed now."""
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
    """Computes features of images, and class probabilities if it has classes.

    It is built from its own `Config` and the data's `DataSpec`; one that is also `Trainable` is trained on each data
    set. Raises Unsuitable if it cannot see such images, WeightsMissing if its weights are not there.
    """

    Config: ClassVar[type[Strict]]

    @abstractmethod
    def __init__(self, config: Any, spec: DataSpec) -> None: ...

    @classmethod
    def watched_path(cls, config: Any) -> str | None:
        """Returns the user's file that it reads, whose changes DVC must notice."""
        return None

    @abstractmethod
    def extract(self, images: UInt8[np.ndarray, "n c h w"]) -> FeatureSet:
        """Returns features [n d] float32, and class probabilities [n k] float32 or None, of uint8 images."""

    @abstractmethod
    def described(self) -> Mapping[str, object]:
        """Returns the facts that distinguish its figures from another extractor's, ready for JSON.

        `resizer`, `values` (how uint8 becomes what it is given) and `precision`; `weights_sha256` if it has weights.
        """


def pixels_only(images: UInt8[np.ndarray, "n c h w"]) -> FeatureSet:
    """Returns images as a `FeatureSet` without an extractor: the features are the pixels."""
    return FeatureSet(images, images.reshape(len(images), -1).astype(np.float32))
