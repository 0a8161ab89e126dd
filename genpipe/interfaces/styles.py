"""Styles of layers."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from genpipe.interfaces.generative import Decodes
from genpipe.interfaces.tensors import Codes, Images

Style = Float[Tensor, "b style"]
Styles = Float[Tensor, "b layers style"]


class HasStyles(Decodes):
    """Maps a code to a style, and makes an image from a style per layer; the first layers are the coarsest."""

    style_layers: int
    """The number of styles of an image; each doubling of its side has the same number."""

    @abstractmethod
    def style(self, z: Codes) -> Style:
        """Returns the style of each code."""

    @abstractmethod
    def from_styles(self, w: Styles) -> Images:
        """Returns the image of the styles of each layer, in [-1, 1]."""

    def decode(self, z: Codes) -> Images:
        return self.from_styles(self.style(z)[:, None].expand(-1, self.style_layers, -1))
