"""Views of three solids from all sides, 64×64 in color, of which the orientation is known: no download."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
from jaxtyping import Float, UInt8
from pydantic import Field

from genpipe.dataset.splitting import pieces, splits_of
from genpipe.interfaces.sources import Chunk, Collection, Source
from genpipe.interfaces.spec import FieldSpec
from genpipe.schema import Strict

SIDE = 64
FINER = 2
"""So many rays along each side of a pixel, for smooth edges."""
REACH = 1.45
"""The image shows what is so far from the middle, on each side."""
AMBIENT = 0.45
"""The light on a face that looks away from the viewer's lamp."""
_ALONG = np.float32(1e-6)
"""A face that lies along the rays is taken as turned to the viewer by so little."""
Quaternions = Float[np.ndarray, "n 4"]

_BOX = [(1, 0, 0, 0.9), (-1, 0, 0, 0.9), (0, 1, 0, 0.6), (0, -1, 0, 0.6), (0, 0, 1, 0.35), (0, 0, -1, 0.35)]
_WEDGE = [(0, 0, 1, 0.4), (0, 0, -1, 0.4), (-1, 0, 0, 0.5), (0, -1, 0, 0.7), (0.8, 0.6, 0, 0.3)]
_PYRAMID = [(0, 0, -1, 0.45), (0.8, 0, 0.6, 0.45), (-0.8, 0, 0.6, 0.35), (0, 0.8, 0.6, 0.45), (0, -0.8, 0.6, 0.25)]
SOLIDS = {"box": _BOX, "wedge": _WEDGE, "pyramid": _PYRAMID}
"""Each as the faces (a, b, c, d) of the points with a x + b y + c z ≤ d; (a, b, c) has length 1."""
COLORS = np.array([(230, 60, 50), (60, 190, 80), (70, 110, 240), (240, 200, 60), (210, 80, 210), (70, 210, 220)])
"""Of the faces in their order, so that no two orientations look the same."""


QUATERNION = ("qw", "qx", "qy", "qz")


class Solids(Source):
    """One solid on black in the middle, turned at random; its factors are the unit quaternion (qw, qx, qy, qz)."""

    class Config(Strict):
        images: Annotated[int, Field(ge=30, le=1_000_000)] = 6000
        test_images: Annotated[int, Field(ge=3)] = 600

    classes = tuple(SOLIDS)
    channels = 3
    fields = {name: FieldSpec("number") for name in QUATERNION}

    def __init__(self, config: Config, root: Path) -> None:
        self.config = config

    def collection(self, seed: int) -> Collection:
        kinds = np.arange(self.config.images) % len(SOLIDS)
        parts = splits_of(kinds, len(kinds), self.config.test_images, seed)
        return Collection(lambda rows: _drawn(rows, kinds[rows], seed), parts, kinds)


def _drawn(rows: np.ndarray, kinds: np.ndarray, seed: int) -> Iterator[Chunk]:
    for some, of_kind in zip(pieces(rows), pieces(kinds), strict=True):
        q = orientations(some, seed)
        images = np.empty((len(some), SIDE, SIDE, 3), np.uint8)
        for number, faces in enumerate(SOLIDS.values()):
            mine = of_kind == number
            images[mine] = views(np.array(faces), rotations(q[mine]))
        yield Chunk(images, {name: q[:, i].copy() for i, name in enumerate(QUATERNION)})


def orientations(rows: np.ndarray, seed: int) -> Quaternions:
    """Unit quaternions, uniform over all rotations; each is decided by the seed and its number alone."""
    q = np.stack([np.random.default_rng((seed, int(row))).standard_normal(4) for row in rows])
    return q / np.linalg.norm(q, axis=1, keepdims=True)


def rotations(q: Quaternions) -> Float[np.ndarray, "n 3 3"]:
    """The matrices of unit quaternions."""
    w, x, y, z = q.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows).transpose(2, 0, 1)


def views(faces: Float[np.ndarray, "f 4"], turned: Float[np.ndarray, "n 3 3"]) -> UInt8[np.ndarray, "n h w 3"]:
    """A convex solid as parallel rays along z see it, each face lit by how much it looks at the viewer.

    A ray leaves the solid, towards the viewer, at the nearest of the faces that look at him, and has entered it at the
    farthest of the others; it misses the solid where it would leave before it has entered.
    """
    places = ((np.arange(SIDE * FINER, dtype=np.float32) + 0.5) / (SIDE * FINER) * 2 - 1) * REACH
    x, y = places, -places[:, None]
    images = np.zeros((len(turned), SIDE * FINER, SIDE * FINER, 3), np.float32)
    for image, rotation in zip(images, turned, strict=True):
        normals, offsets = (faces[:, :3] @ rotation.T).astype(np.float32), faces[:, 3].astype(np.float32)
        a, b, c = (normals[:, i, None, None] for i in range(3))
        c = np.where(np.abs(c) < _ALONG, _ALONG, c)
        depth = (offsets[:, None, None] - a * x - b * y) / c
        leaves, enters = np.where(c > 0, depth, np.inf), np.where(c < 0, depth, -np.inf)
        first, hit = leaves.argmin(0), leaves.min(0) >= enters.max(0)
        lit = COLORS[: len(faces)] * (AMBIENT + (1 - AMBIENT) * c[:, :, 0].clip(0))
        image[hit] = lit[first[hit]]
    smooth = images.reshape(-1, SIDE, FINER, SIDE, FINER, 3).mean((2, 4))
    return np.rint(smooth).astype(np.uint8)
