"""Styles of layers."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from genpipe.interfaces.generative import Decodes
from genpipe.interfaces.tensors import Codes, Images

Style = Float[Tensor, "b style"]
Styles = Float[Tensor, "b layers style"]


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
