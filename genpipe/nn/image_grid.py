"""Grids of small images, pixel by pixel."""

import numpy as np
from jaxtyping import UInt8


def grid(images: UInt8[np.ndarray, "n c h w"], columns: int, gap_pixels: int = 2) -> UInt8[np.ndarray, "H W k"]:
    """Returns one picture [height width channels] of images in rows, on mid-gray; the last row may be short.

    Images of two channels are shown in red and green.
    """
    if images.shape[1] == 2:
        images = np.concatenate([images, np.zeros_like(images[:, :1])], 1)
    n, c, h, w = images.shape
    rows = -(-n // columns)
    out = np.full((rows * (h + gap_pixels) + gap_pixels, columns * (w + gap_pixels) + gap_pixels, c), 128, np.uint8)
    for i, image in enumerate(images):
        top, left = (x * (side + gap_pixels) + gap_pixels for x, side in zip(divmod(i, columns), (h, w), strict=True))
        out[top : top + h, left : left + w] = image.transpose(1, 2, 0)
    return out
