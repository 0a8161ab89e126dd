"""Resampling of images."""

from torch.nn.functional import interpolate

from genpipe.interfaces.tensors import Images


def bicubic(x: Images, size: tuple[int, int]) -> Images:
    """Returns images in [−1, 1] at this height and width, antialiased and clamped: to a level what Pillow gives.

    The kernel is that of Keys 1981 (doi:10.1109/TASSP.1981.1163711, eq. 4; a = −1/2), widened where images shrink.
    """
    return interpolate(x, size, mode="bicubic", antialias=True).clamp(-1, 1)
