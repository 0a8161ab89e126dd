"""Capabilities of models that generate an image for a condition, which an item of the data gives."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from genpipe.interfaces.tensors import Images

IMAGE = "x"
"""The name of the image itself among the parts of a condition."""
Condition = Mapping[str, Tensor]
"""Fields of some items by name, as a batch has them, and their images as `x`."""


class GeneratesFor(ABC):
    """Generates an image for each condition: what some fields of an item are, or its image."""

    stochastic: ClassVar[bool] = False
    """Whether one condition has more than one image, by the random numbers."""

    @property
    @abstractmethod
    def condition(self) -> tuple[str, ...]:
        """The names of the fields that make a condition; `x` is the image."""

    @abstractmethod
    def sample_for(self, condition: Condition, rng: torch.Generator) -> Images:
        """Returns an image in [-1, 1] for each condition; the same state of rng gives the same images."""


class Translates(GeneratesFor):
    """Translates one field of an item, its source, into the image of the item."""

    source: str
    """The name of the field."""

    @property
    def condition(self) -> tuple[str, ...]:
        return (self.source,)

    @abstractmethod
    def translate(self, source: Tensor, rng: torch.Generator) -> Images:
        """Returns the image in [-1, 1] of each source, which is as a batch has its field."""

    def sample_for(self, condition: Condition, rng: torch.Generator) -> Images:
        return self.translate(condition[self.source], rng)


class TranslatesDomains(GeneratesFor):
    """Translates images of one domain into another; no image has a partner there."""

    domain: str
    """The name of the field with the domain of each image, a class."""

    @property
    def condition(self) -> tuple[str, ...]:
        return (IMAGE,)

    @property
    @abstractmethod
    def target(self) -> int:
        """The number of the domain into which `sample_for` translates."""

    @abstractmethod
    def translate_to(self, x: Images, target: int) -> Images:
        """Returns images in [-1, 1] of another domain, moved to the domain with this number."""

    def sample_for(self, condition: Condition, rng: torch.Generator) -> Images:
        return self.translate_to(condition[IMAGE], self.target)


class Inpaints(GeneratesFor):
    """Fills the holes of images."""

    mask: str
    """The name of the field with the mask of the hole."""

    @property
    def condition(self) -> tuple[str, ...]:
        return (IMAGE, self.mask)

    @abstractmethod
    def inpaint(self, x: Images, mask: Float[Tensor, "b 1 h w"], rng: torch.Generator) -> Images:
        """Returns images with the part filled where the mask is 1; what is there does not matter, all else is kept."""

    def sample_for(self, condition: Condition, rng: torch.Generator) -> Images:
        return self.inpaint(condition[IMAGE], condition[self.mask], rng)


class Edits(ABC):
    """Changes attributes of images."""

    attributes: str
    """The name of the field with the attributes of each image."""

    @abstractmethod
    def attributes_of(self, x: Images) -> Float[Tensor, "b k"]:
        """Returns what the model takes the attributes of images to be, each 0 or 1."""

    @abstractmethod
    def edit(self, x: Images, attributes: Float[Tensor, "b k"]) -> Images:
        """Returns the images in [-1, 1] with these attributes, each 0 or 1; with its own, a reconstruction."""
