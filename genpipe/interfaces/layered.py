"""What generators whose layers go from coarse to fine may be able to do."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from genpipe.interfaces.systems import Codes, Decodes, Images

Style = Float[Tensor, "b style"]
Styles = Float[Tensor, "b layers style"]


class Grows(Decodes):
    """Draws images of several sizes, each by the part of it that was trained for that size on the way to the next."""

    sizes: tuple[int, ...]
    """Sides in pixels, rising up to that of the data's images."""

    @abstractmethod
    def decode_at(self, z: Codes, size: int) -> Images:
        """The image of each code in one of the sizes, in [-1, 1]."""


class HasStyles(Decodes):
    """Maps a code to a style, and draws an image from the styles of its layers, of which the first are the coarsest."""

    style_layers: int
    """How many styles an image has; there are as many for each doubling of its side."""

    @abstractmethod
    def style(self, z: Codes) -> Style:
        """The style of each code."""

    @abstractmethod
    def from_styles(self, w: Styles) -> Images:
        """The image of the styles of each layer, in [-1, 1]."""

    def decode(self, z: Codes) -> Images:
        return self.from_styles(self.style(z)[:, None].expand(-1, self.style_layers, -1))
