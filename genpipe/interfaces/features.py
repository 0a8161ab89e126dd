"""Features of a model's own layers."""

from abc import ABC, abstractmethod

from torch import Tensor

from genpipe.interfaces.tensors import Images


class HasFeatures(ABC):
    """Gives the outputs of layers for images."""

    @abstractmethod
    def features(self, x: Images) -> list[Tensor]:
        """Returns the outputs of layers for images, outermost first: maps [b c h w] and rows [b d]."""
