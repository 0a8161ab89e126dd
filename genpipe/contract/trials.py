"""Small trained models that the checks of the contract look at, and what these raise."""

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genpipe import registry
from genpipe.config.training import Optim, Train
from genpipe.dataset.batches import BatchLoader, nonzero
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.translation import IMAGE
from genpipe.standins import NotApplicable, ready, stored_fields
from genpipe.training.devices import fabric
from genpipe.training.loop import fit, seed


class Broken(AssertionError):
    """Something that every model keeps, and this one does not."""


def noise_images(spec: DataSpec, n: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Returns uint8 images [n c h w] by chance, and two classes in turn [n]."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n, *spec.shape), dtype=np.uint8), np.arange(n) % 2


def batch_loader(model: Generative, spec: DataSpec, device: torch.device) -> BatchLoader:
    """Images in batches of 8, with the fields that the model needs."""
    images, labels = noise_images(spec)
    fields = stored_fields(model, len(images))
    groups = fields[model.group_by].rows if model.group_by else None
    second = nonzero(fields[model.balance_by].rows) if model.balance_by else None
    return BatchLoader(images, labels, size=8, seed=0, device=device, fields=fields, group_by=groups, second=second)


def trained(name: str, spec: DataSpec) -> Generative:
    """Returns the small model after two steps of training."""
    model, device = ready(name, spec), fabric("32-true")
    seed(0)
    batches = batch_loader(model, spec, device.device)
    optim = {phase.name: Optim(lr=1e-3) for phase in model.phases()}
    fit(model, batches, Train(steps=2, batch_size=8), optim, device=device)
    return model


def able(name: str, spec: DataSpec, capability: type) -> Any:
    """The model in evaluation mode after two steps, if it has a capability. Raises NotApplicable."""
    if not issubclass(registry.load("models", name), capability):
        raise NotApplicable(f"{name} is no {capability.__name__}")
    return _finished(registry.load("models", name), name, spec)


@cache
def _finished(_: type, name: str, spec: DataSpec) -> Generative:
    """One model for all checks that only look at it; of another class with the same name it is another."""
    return trained(name, spec).eval()


def expect(kept: object, told: str) -> None:
    """Raises Broken with what is told unless it is kept."""
    if not kept:
        raise Broken(told)


def conditions_of(model: Any, spec: DataSpec, n: int) -> dict[str, Tensor]:
    """The conditions of n items, by chance."""
    batch = batch_loader(model, spec, model.device).batch(0)
    return {name: (batch.x if name == IMAGE else batch.fields[name])[:n] for name in model.condition}


def noise_in(n: int, spec: DataSpec) -> Tensor:
    """Returns images [n c h w] of uniform noise in [-1, 1]."""
    return torch.rand(n, *spec.shape) * 2 - 1
