"""Features of a model's own layers."""

from abc import ABC, abstractmethod

from torch import Tensor

from genpipe.interfaces.tensors import Images


class HasFeatures(ABC):
    """Has layers that look at images, and tells what they see."""

    @abstractmethod
    def features(self, x: Images) -> list[Tensor]:
        """What layers make of images, outermost first: maps [b c h w] and rows [b d]."""
