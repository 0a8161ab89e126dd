"""Images of several sizes."""

from abc import abstractmethod

from genpipe.interfaces.generative import Decodes
from genpipe.interfaces.tensors import Codes, Images


class HasResolutions(Decodes):
    """Generates images of several sizes, each with the part of the net that was trained for that size."""

    sizes: tuple[int, ...]
    """Shorter sides in pixels, rising up to that of the data's images."""

    @abstractmethod
    def decode_at(self, z: Codes, size: int) -> Images:
        """Returns the image of each code in one of the sizes, in [-1, 1]."""
