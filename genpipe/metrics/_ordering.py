"""An order of images that does not depend on how they come, so that what a seed draws of them does not either."""

import hashlib

import numpy as np
from jaxtyping import Int, UInt8


def by_content(images: UInt8[np.ndarray, "n c h w"]) -> Int[np.ndarray, "n"]:
    """The numbers of the images, sorted by a hash of their pixels."""
    digests = [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]
    return np.array(sorted(range(len(images)), key=digests.__getitem__), dtype=np.int64)


def drawn(images: UInt8[np.ndarray, "n c h w"], count: int, seed: int) -> UInt8[np.ndarray, "m c h w"]:
    """At most `count` of the images, chosen by the seed: the same ones in whatever order they are given."""
    chosen = np.random.default_rng(seed).permutation(by_content(images))[:count]
    return images[chosen]
