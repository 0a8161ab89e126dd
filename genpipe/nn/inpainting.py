"""Filling holes of images: a dilated generator (Demir & Unal 2018, arXiv:1803.07422), and the composite."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genpipe.interfaces.tensors import Images
from genpipe.nn.halving import Size, halved
from genpipe.nn.resnet_translator import HALVINGS, ResNetConfig, ResNetTranslator

Masks = Float[Tensor, "b 1 h w"]
"""1 in the hole, 0 where the image is known."""
MOST_DILATION = 8


class InpaintingNet(nn.Module):
    """Images [b c h w], of which the hole is never seen, and masks to images without holes. Raises Unsuitable.

    Residual blocks with growing dilation see all of the image; known pixels come back as they are.
    """

    def __init__(self, config: ResNetConfig, channels: int, size: Size) -> None:
        super().__init__()
        self.net = ResNetTranslator(config, channels + 1, channels, size, dilations(halved(size, HALVINGS)))

    def forward(self, x: Images, mask: Masks) -> Images:
        return composite(x, self.drawn(x, mask), mask)

    def drawn(self, x: Images, mask: Masks) -> Images:
        """Returns the net's own images, with pixels of its own everywhere."""
        return self.net(torch.cat([torch.where(mask > 0, 0.0, x), mask], dim=1))


def composite(known: Images, drawn: Images, mask: Masks) -> Images:
    """Returns the drawn pixels in the hole, and exactly the known ones elsewhere."""
    return torch.where(mask > 0, drawn, known)


def dilations(size: Size) -> list[int]:
    """Returns the dilations of residual blocks in turn, 1, 2, 4, 8, as far as features of this size have room."""
    return [2**k for k in range(MOST_DILATION.bit_length()) if 2**k < min(size)]
