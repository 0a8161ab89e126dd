"""Sampling from the middle of a prior."""

from abc import abstractmethod

import torch

from genpipe.interfaces.generative import Generates
from genpipe.interfaces.tensors import Images


class Truncates(Generates):
    """Generates images from the center of its prior only: less diverse and more typical."""

    @abstractmethod
    def sample_within(self, n: int, threshold: float, rng: torch.Generator) -> Images:
        """Returns n images in [-1, 1]; a smaller threshold, which is above 0, gives more typical ones."""
