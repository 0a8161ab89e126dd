"""Resampling of images."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from genpipe.interfaces.tensors import Images


def bicubic(x: Images, size: tuple[int, int]) -> Float[Tensor, "b c height width"]:
    """Returns images in [−1, 1] at this height and width, antialiased and clamped: to a level what Pillow gives.

    The kernel is that of Keys 1981 (doi:10.1109/TASSP.1981.1163711, eq. 4; a = −1/2), widened where images shrink. As
    in Pillow, one side is scaled and clamped after the other: first the height, if it shrinks by far more.
    """
    height_first = x.shape[2] - size[0] > max(0, 2 * (x.shape[3] - size[1]))
    between = (size[0], x.shape[3]) if height_first else (x.shape[2], size[1])
    return _resized(_resized(x, between), size)


def _resized(x: Images, size: tuple[int, int]) -> Float[Tensor, "b c height width"]:
    return interpolate(x, size, mode="bicubic", antialias=True).clamp(-1, 1)
