"""The interface of models, and their capabilities.

A model is a `Generative`: it declares its `Phase`s, and `fit` gives each its turn. What else it can do is said by the
capabilities it inherits from; stages, metrics and analyses ask for a capability and never for a name.

Images are float32 in [-1, 1], [batch channels height width], inside models; uint8 everywhere else.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from genpipe.interfaces.phases import Trainable
from genpipe.interfaces.sampling import Sampled
from genpipe.interfaces.spec import DataSpec, Kinds
from genpipe.interfaces.tensors import Codes, Images
from genpipe.schema import Strict


class Generative(Trainable, Sampled):
    """A generative model, built from its own `Config` and the data's `DataSpec`."""

    Config: ClassVar[type[Strict]]
    init_args: tuple[Any, ...]
    """The arguments that, with the weights, rebuild the same model."""

    def __new__(cls, *given: Any, **_: Any) -> "Generative":
        made = super().__new__(cls)
        object.__setattr__(made, "init_args", given)  # nn.Module is not ready for attributes yet
        object.__setattr__(made, "sampling", cls.Sampling())
        if given:  # a copy has its own from what it is copied from
            object.__setattr__(made, "fields", cls.needed_fields(given[0]))
        return made

    @abstractmethod
    def __init__(self, config: Strict, spec: DataSpec) -> None:
        super().__init__()

    @classmethod
    def needed_fields(cls, config: Any) -> Mapping[str, Kinds]:
        """Returns the fields that a model with these knobs needs: `fields` of the class, if knobs do not decide it."""
        return cls.fields


class Generates(ABC):
    """Generates new images."""

    @abstractmethod
    def sample(self, n: int, rng: torch.Generator) -> Images:
        """Returns n images in [-1, 1]; the same state of rng gives the same images."""


class Decodes(Generates):
    """Draws a code from a prior and decodes it."""

    @abstractmethod
    def prior(self, n: int, rng: torch.Generator) -> Codes:
        """Returns n codes from the prior, on the device of rng."""

    @abstractmethod
    def decode(self, z: Codes) -> Images:
        """Returns the image of each code, in [-1, 1]."""

    def sample(self, n: int, rng: torch.Generator) -> Images:
        return self.decode(self.prior(n, rng))


class Encodes(ABC):
    """Gives every image a code."""

    @abstractmethod
    def encode(self, x: Images) -> Codes:
        """Returns the code of each image (the mean, if codes are distributions)."""


class Reconstructs(ABC):
    """Maps an image to its reconstruction."""

    @abstractmethod
    def reconstruct(self, x: Images) -> Images:
        """Returns the reconstruction of each image, in [-1, 1]."""
