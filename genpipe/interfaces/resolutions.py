"""Images of several sizes."""

from abc import abstractmethod

from genpipe.interfaces.generative import Decodes
from genpipe.interfaces.tensors import Codes, Images


class HasResolutions(Decodes):
    """Draws images of several sizes, each by the part of it that was trained for that size on the way to the next."""

    sizes: tuple[int, ...]
    """Sides in pixels, rising up to that of the data's images."""

    @abstractmethod
    def decode_at(self, z: Codes, size: int) -> Images:
        """The image of each code in one of the sizes, in [-1, 1]."""
