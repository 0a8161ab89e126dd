"""Capabilities of models with classes."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genpipe.interfaces.generative import Generates
from genpipe.interfaces.tensors import Images, Labels


class GeneratesClasses(Generates):
    """Generates new images of the requested classes."""

    class_count: int
    init_args: tuple[Any, ...]

    @abstractmethod
    def sample_of(self, y: Labels, rng: torch.Generator) -> Images:
        """Returns an image in [-1, 1] for each class of y, which is on the device of rng."""

    def in_turn(self, numbers: Int[Tensor, "n"]) -> Labels:
        """Returns the class of each sample: the trained classes, one after the other."""
        trained = torch.tensor(self.init_args[1].trained, device=numbers.device)
        return trained[numbers % len(trained)]

    def sample(self, n: int, rng: torch.Generator) -> Images:
        numbers = torch.randint(len(self.init_args[1].trained), (n,), generator=rng, device=rng.device)
        return self.sample_of(self.in_turn(numbers), rng)


class Classifies(ABC):
    """Predicts the class of an image."""

    @abstractmethod
    def class_logits(self, x: Images) -> Float[Tensor, "b k"]:
        """Returns log p(y|x) of each class y, up to a constant."""

    def classify(self, x: Images) -> Float[Tensor, "b k"]:
        """Returns p(y|x) of each class y."""
        return self.class_logits(x).softmax(1)
