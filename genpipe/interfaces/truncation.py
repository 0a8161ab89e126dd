"""Sampling from the middle of a prior."""

from abc import abstractmethod

import torch

from genpipe.interfaces.generative import Generates
from genpipe.interfaces.tensors import Images


class Truncates(Generates):
    """Draws new images from the middle of its prior only: fewer kinds of image, and more typical ones."""

    @abstractmethod
    def sample_within(self, n: int, threshold: float, rng: torch.Generator) -> Images:
        """n images in [-1, 1]; the smaller the threshold, which is above 0, the more typical."""
