"""Conditions of held-out items, for models that generate an image for each."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from genpipe.dataset.batches import as_tensor
from genpipe.dataset.storage import Prepared
from genpipe.interfaces.translation import IMAGE, GeneratesFor, TranslatesDomains
from genpipe.nn.pixel_range import to_model


@dataclass(frozen=True)
class Conditions:
    """The conditions of some held-out items, read when they are needed."""

    prepared: Prepared
    names: tuple[str, ...]
    """What of an item is in its condition; `x` is its image."""
    rows: Int[np.ndarray, "n"]
    """The number of each item among the held-out ones."""

    @property
    def labels(self) -> Int[np.ndarray, "n"] | None:
        """The class of each item, which its translation should have too; None if there are no classes."""
        found = self.prepared.labels("test")
        return None if found is None else found[self.rows]

    def batch(self, numbers: range, device: torch.device) -> dict[str, Tensor]:
        """Returns the conditions with these numbers, as a training batch has its fields."""
        rows = self.rows[numbers.start : numbers.stop]
        return {name: self._read(name, rows, device) for name in self.names}

    def _read(self, name: str, rows: Int[np.ndarray, "k"], device: torch.device) -> Tensor:
        if name == IMAGE:
            return to_model(torch.from_numpy(self.prepared.images("test")[rows]).to(device))
        stored = torch.from_numpy(self.prepared.field("test", name)[rows]).to(device)
        return as_tensor(stored, self.prepared.spec.fields[name].kind)


def held_out_conditions(model: object, prepared: Prepared, n: int) -> Conditions | None:
    """Returns at most n conditions of held-out items in turn; None for a model that needs none.

    They come more than once if one condition has more than one image, in order; items of classes without training
    images, and those of the domain into which the model translates, are left out.
    """
    if not isinstance(model, GeneratesFor):
        return None
    known = items(model, prepared)
    return conditions_of(model, prepared, np.resize(known, n) if model.stochastic else known[:n])


def conditions_of(model: object, prepared: Prepared, rows: Int[np.ndarray, "n"]) -> Conditions:
    """Returns the conditions of held-out items by their numbers, for a model that needs some."""
    assert isinstance(model, GeneratesFor)
    return Conditions(prepared, model.condition, rows)


def items(model: object, prepared: Prepared) -> Int[np.ndarray, "n"]:
    """Returns the numbers of the held-out items that have a condition for a model."""
    spec, labels = prepared.spec, prepared.labels("test")
    asked = np.ones(len(prepared.images("test")), bool)
    if labels is not None and spec.untrained:
        asked &= np.isin(labels, spec.trained)
    if isinstance(model, TranslatesDomains):
        asked &= np.asarray(prepared.field("test", model.domain)) != model.target
    return np.flatnonzero(asked)
