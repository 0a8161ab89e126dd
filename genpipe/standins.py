"""Small models, and what stands in for other experiments and extractors where a model alone is tested."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import nn

from genpipe import registry
from genpipe.config.prerequisites import declared
from genpipe.config.project import load_project
from genpipe.dataset.batches import StoredField
from genpipe.errors import GenpipeError, Unsuitable
from genpipe.interfaces.extractors import Extractor, FeatureSet, pixels_only
from genpipe.interfaces.generative import Decodes, Encodes, Generative, Reconstructs
from genpipe.interfaces.phases import Phase, Trainable
from genpipe.interfaces.prerequisites import HasPrerequisites
from genpipe.interfaces.spec import DataSpec, FieldSpec, Kind, Kinds
from genpipe.interfaces.tensors import Codes, Images
from genpipe.schema import Strict

_SMALL = {"widths": [8, 8], "latent_dim": 3, "generator_channels": 4, "discriminator_channels": 4}
"""What a Config is made small with, where it has a knob of that name."""


class NotApplicable(Exception):
    """A check that does not concern a model: it has not this capability, or is not for such images."""


class NoStandIn(NotApplicable):
    """A check of a model that cannot be trained without what its experiment needs."""


def build(name: str, spec: DataSpec) -> Generative:
    """A small model: every width and depth is cut down where its Config has one; the data have the fields it needs."""
    kind = registry.load("models", name)
    config = kind.Config(**{key: value for key, value in _SMALL.items() if key in kind.Config.model_fields})
    needed = {key: _first(of) for key, of in kind.needed_fields(config).items()}
    spec = replace(spec, fields={**{key: _field(of, spec) for key, of in needed.items()}, **spec.fields})
    torch.manual_seed(0)
    made: Generative = kind(config, spec)
    return made


def stored_fields(model: Generative, n: int) -> dict[str, StoredField]:
    """The fields that a model needs of n images, made by chance as they were described to it."""
    described = model.init_args[1].fields
    return {name: StoredField(_rows(described[name], n), described[name]) for name in model.fields}


def _first(kinds: Kinds) -> Kind:
    return kinds[0] if isinstance(kinds, tuple) else kinds


def _field(kind: Kind, spec: DataSpec) -> FieldSpec:
    """A field of a kind beside images such as these."""
    sides, k = spec.shape[1:], len(spec.classes) or 3
    shapes = {"image": spec.shape, "label_map": sides, "mask": (1, *sides), "frames": (2, *spec.shape), "tokens": (5,)}
    return FieldSpec(kind, {**shapes, "attributes": (k,), "number": (2,)}.get(kind, ()), k)


def _rows(spec: FieldSpec, n: int) -> np.ndarray:
    """Values of a field as they are stored, by chance; of numbers, four rows at a time are equal."""
    if spec.kind == "number":
        return np.repeat(np.arange(n) // 4, spec.values).reshape(n, *spec.shape)
    levels = {"image": 256, "frames": 256, "mask": 2, "attributes": 2}.get(spec.kind, spec.size)
    return np.random.default_rng(1).integers(0, levels, (n, *spec.shape), dtype=np.uint8)


def ready(name: str, spec: DataSpec) -> Generative:
    """A small model that can be trained: it was given stand-ins for what it needs.

    Raises NoStandIn if it cannot use them.
    """
    model = build(name, spec)
    if isinstance(model, HasPrerequisites):
        wanted = declared(type(model), model.init_args[0])
        models = {other: _model(other, spec).requires_grad_(False).eval() for other in wanted.experiments}
        try:
            model.use({extractor: _extractor(extractor, spec) for extractor in wanted.extractors}, models)
        except (Unsuitable, AttributeError, RuntimeError) as error:
            given = ", ".join([*wanted.extractors, *wanted.experiments])
            raise NoStandIn(f"{name} needs {given}, and a small stand-in does not do: {error}") from None
    return model


def _model(name: str, spec: DataSpec) -> Generative:
    """An untrained model like that of an experiment of the project, or a linear one where there is none."""
    with suppress(GenpipeError, KeyError, ValueError):
        return build(load_project().index.experiments[name].model, spec)
    return _Linear(Strict(), spec)


def _extractor(name: str, spec: DataSpec) -> Extractor:
    """An untrained extractor; pixels, where it would need published weights or does not suit the images."""
    kind = registry.load("extractors", name)
    with suppress(Unsuitable):
        if issubclass(kind, Trainable):
            made: Any = kind(kind.Config(), spec)
            return made.requires_grad_(False).eval()
    return _Pixels(Strict(), spec)


class _Linear(Generative, Decodes, Encodes, Reconstructs):
    """Three numbers an image."""

    def __init__(self, config: Strict, spec: DataSpec) -> None:
        super().__init__(config, spec)
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(spec.values, 3))
        self.decoder = nn.Sequential(nn.Linear(3, spec.values), nn.Tanh(), nn.Unflatten(1, spec.shape))

    def phases(self) -> list[Phase]:
        return []

    def prior(self, n: int, rng: torch.Generator) -> Codes:
        return torch.randn(n, 3, generator=rng, device=rng.device)

    def decode(self, z: Codes) -> Images:
        return self.decoder(z)

    def encode(self, x: Images) -> Codes:
        return self.encoder(x)

    def reconstruct(self, x: Images) -> Images:
        return self.decode(self.encode(x))


class _Pixels(Extractor):
    """Features are the pixels."""

    def __init__(self, config: Any, spec: DataSpec) -> None:
        pass

    def extract(self, images: UInt8[np.ndarray, "n c h w"]) -> FeatureSet:
        return pixels_only(images)

    def described(self) -> dict[str, object]:
        return {}
