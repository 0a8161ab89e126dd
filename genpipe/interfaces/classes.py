"""What models of classes may be able to do."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genpipe.interfaces.generative import Generates
from genpipe.interfaces.tensors import Images, Labels


class GeneratesClasses(Generates):
    """Draws new images of the classes that are asked for."""

    class_count: int
    init_args: tuple[Any, ...]

    @abstractmethod
    def sample_of(self, y: Labels, rng: torch.Generator) -> Images:
        """An image in [-1, 1] of each class y, which is on the device of rng."""

    def in_turn(self, numbers: Int[Tensor, "n"]) -> Labels:
        """The class of each sample by its number: those that it was trained on, one after the other."""
        trained = torch.tensor(self.init_args[1].trained, device=numbers.device)
        return trained[numbers % len(trained)]

    def sample(self, n: int, rng: torch.Generator) -> Images:
        numbers = torch.randint(len(self.init_args[1].trained), (n,), generator=rng, device=rng.device)
        return self.sample_of(self.in_turn(numbers), rng)


class Classifies(ABC):
    """Says which class an image shows."""

    @abstractmethod
    def class_logits(self, x: Images) -> Float[Tensor, "b k"]:
        """log p(y|x) of each class y, but for what is the same for all."""

    def classify(self, x: Images) -> Float[Tensor, "b k"]:
        """p(y|x) of each class y."""
        return self.class_logits(x).softmax(1)
