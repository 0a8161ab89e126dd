"""Conditions, for models that generate an image for each; those of held-out items."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from genpipe.dataset.batches import as_tensor
from genpipe.dataset.storage import Prepared
from genpipe.interfaces.spec import DataSpec, Kind
from genpipe.interfaces.translation import IMAGE, GeneratesFor, TranslatesDomains


@dataclass(frozen=True)
class Conditions(ABC):
    """Conditions of items, by the numbers of the items."""

    kinds: Mapping[str, Kind]
    """What of an item is in its condition, and of which kind it is; `x` is its image."""
    rows: Int[np.ndarray, "n"]
    """The number of the item of each condition."""

    def batch(self, numbers: range, device: torch.device) -> dict[str, Tensor]:
        """Returns the conditions with these numbers, as a training batch has its fields."""
        rows = self.rows[numbers.start : numbers.stop]
        stored = {name: torch.from_numpy(self.stored(name)[rows]).to(device) for name in self.kinds}
        return {name: as_tensor(values, self.kinds[name]) for name, values in stored.items()}

    @abstractmethod
    def stored(self, name: str) -> np.ndarray:
        """Returns a part of the conditions of all items, as a data set stores it."""


@dataclass(frozen=True)
class HeldOutConditions(Conditions):
    """Those of held-out items, read when they are needed."""

    prepared: Prepared

    @property
    def labels(self) -> Int[np.ndarray, "n"] | None:
        """The class of each item, which its translation should have too; None if there are no classes."""
        found = self.prepared.labels("test")
        return None if found is None else found[self.rows]

    def stored(self, name: str) -> np.ndarray:
        return self.prepared.images("test") if name == IMAGE else self.prepared.field("test", name)


def kinds_of(names: Sequence[str], spec: DataSpec) -> dict[str, Kind]:
    """Returns the kind of each of these fields and, as `x`, of the image."""
    return {name: "image" if name == IMAGE else spec.fields[name].kind for name in names}


def held_out_conditions(model: object, prepared: Prepared, n: int) -> HeldOutConditions | None:
    """Returns at most n conditions of held-out items in turn; None for a model that needs none.

    They come more than once if one condition has more than one image, in order; items of classes without training
    images, and those of the domain into which the model translates, are left out.
    """
    if not isinstance(model, GeneratesFor):
        return None
    known = items(model, prepared)
    return conditions_of(model, prepared, np.resize(known, n) if model.stochastic else known[:n])


def conditions_of(model: object, prepared: Prepared, rows: Int[np.ndarray, "n"]) -> HeldOutConditions:
    """Returns the conditions of held-out items by their numbers, for a model that needs some."""
    assert isinstance(model, GeneratesFor)
    return HeldOutConditions(kinds_of(model.condition, prepared.spec), rows, prepared)


def items(model: object, prepared: Prepared) -> Int[np.ndarray, "n"]:
    """Returns the numbers of the held-out items that have a condition for a model."""
    spec, labels = prepared.spec, prepared.labels("test")
    asked = np.ones(len(prepared.images("test")), bool)
    if labels is not None and spec.untrained:
        asked &= np.isin(labels, spec.trained)
    if isinstance(model, TranslatesDomains):
        asked &= np.asarray(prepared.field("test", model.domain)) != model.target
    return np.flatnonzero(asked)
