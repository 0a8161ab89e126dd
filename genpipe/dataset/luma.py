"""The brightness of color images."""

import numpy as np
from jaxtyping import UInt8


def luma(images: UInt8[np.ndarray, "*pixels 3"]) -> UInt8[np.ndarray, "*pixels"]:
    """Returns RGB as gray levels: 0.299 R + 0.587 G + 0.114 B (ITU-R 601), in the whole numbers that PIL has."""
    weighted = images.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32)
    return ((weighted + 0x8000) >> 16).astype(np.uint8)
