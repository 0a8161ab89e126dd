"""Drawn shapes, 64×64 in color, of which everything is known exactly: no download, for tests of what is learned."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from genpipe.dataset.splitting import pieces, splits_of
from genpipe.interfaces.sources import Chunk, Collection, Source
from genpipe.interfaces.spec import FieldSpec
from genpipe.schema import Strict

SIDE = 64
KINDS = ("disc", "square", "triangle", "star")
COLORS = {
    "red": (220, 40, 40), "green": (40, 170, 60), "blue": (50, 80, 220),
    "yellow": (235, 200, 40), "magenta": (200, 50, 190), "cyan": (40, 190, 200),
}  # fmt: skip
STYLES = ("filled", "outlined")
BACKGROUND = 245
RADII = (9.0, 20.0)
STROKE = 3.0
"""Width of an outline, in pixels."""
SIZES = ("small", "medium", "large")
DOWN, ACROSS = ("at the top", "in the middle", "at the bottom"), ("on the left", "", "on the right")
WORDS = ("", "a", *SIZES, *STYLES, *COLORS, *KINDS, *dict.fromkeys(" ".join([*DOWN, *ACROSS]).split()))
"""The vocabulary of captions; the first stands for the end."""
CAPTION_WORDS = 11


SWEPT = ("row", "column", "radius", "angle", "look")
"""What differs between the images of a sweep; the look is kind, color and style, and comes as often as all others."""


class Factors(NamedTuple):
    """What decides some images, an array each."""

    kind: np.ndarray
    color: np.ndarray
    style: np.ndarray
    radius: np.ndarray
    """Of the circle around the shape, in pixels."""
    angle: np.ndarray
    """How far it is turned to the left, in degrees below the angle at which it looks the same."""
    row: np.ndarray
    """The middle of the circle from the upper edge, in pixels; the first pixel's middle is at 0.5."""
    column: np.ndarray


_TURNS = np.array([1.0, 90.0, 120.0, 72.0])
"""After so many degrees a kind looks the same; a disc always does, and its angle is 0."""
_OWN = np.array([[number in own for number in range(6)] for own in ((1,), (2,), (0,), (3,), (4, 5))])
"""Which of its six random numbers an image has for itself in each kind of sweep."""


class Shapes(Source):
    """One shape on light gray: its kind is the class; a caption, a label map and an edge map go with it.

    In sweeps (Kulkarni et al. 2015, arXiv:1503.03167, section 3) one thing varies and all others stay. The field
    `sweep` then tells of each image the number of its sweep and what varies in it, a number of `SWEPT`.
    """

    class Config(Strict):
        images: Annotated[int, Field(ge=20, le=10_000_000)] = 10_000
        test_images: Annotated[int, Field(ge=1)] = 1000
        sweep_images: Annotated[int, Field(ge=1)] = 1
        """So many images in a row make a sweep; 1: each is drawn on its own."""

        @model_validator(mode="after")
        def _whole_sweeps(self) -> Any:
            if self.images % self.sweep_images or self.test_images % self.sweep_images:
                raise ValueError(f"sweep_images is {self.sweep_images}; make images and test_images multiples of it")
            return self

    classes = KINDS
    channels = 3
    field_knobs = {"sweep": {"sweep_images": 10}}

    def __init__(self, config: Config, root: Path) -> None:
        self.config = config

    @property
    def fields(self) -> Mapping[str, FieldSpec]:
        names = {"kind": KINDS, "color": tuple(COLORS), "style": STYLES}
        classes = {name: FieldSpec("class", (), len(of), of) for name, of in names.items()}
        numbers = {name: FieldSpec("number") for name in Factors._fields if name not in names}
        swept = {"sweep": FieldSpec("number", (2,))} if self.config.sweep_images > 1 else {}
        return {
            **classes,
            **numbers,
            **swept,
            "caption": FieldSpec("tokens", (CAPTION_WORDS,), len(WORDS), WORDS),
            "label_map": FieldSpec("label_map", (SIDE, SIDE), 1 + len(KINDS), ("background", *KINDS)),
            "edge_map": FieldSpec("image", (1, SIDE, SIDE)),
        }

    def collection(self, seed: int) -> Collection:
        count, together = self.config.images, self.config.sweep_images
        sweeps, varied = _sweeps(np.arange(count), together)
        own = (together == 1) | (varied == SWEPT.index("look"))
        kinds = np.where(own, np.arange(count), sweeps // (2 * len(SWEPT) - 2)) % len(KINDS)
        known = kinds if together == 1 else None
        parts = splits_of(known, count // together, self.config.test_images // together, seed).repeat(together)
        return Collection(lambda rows: _drawn(rows, kinds[rows], seed, together), parts, kinds)


def _sweeps(rows: np.ndarray, sweep_images: int) -> tuple[np.ndarray, np.ndarray]:
    """The number of each image's sweep, and what varies in it."""
    sweep, last = rows // sweep_images, len(SWEPT) - 1
    return sweep, np.minimum(sweep % (2 * last), last)


def _drawn(rows: np.ndarray, kinds: np.ndarray, seed: int, sweep_images: int) -> Iterator[Chunk]:
    for some, kind in zip(pieces(rows), pieces(kinds), strict=True):
        factors = _factors(some, kind, seed) if sweep_images == 1 else _swept(some, kind, seed, sweep_images)
        images, inside, edges = draw(factors)
        maps = {"label_map": inside * (kind[:, None, None] + 1).astype(np.uint8), "edge_map": edges[..., None]}
        known = {**factors._asdict(), "angle": np.exp(2j * np.pi * factors.angle / _TURNS[kind])}
        if sweep_images > 1:
            known["sweep"] = np.stack(_sweeps(some, sweep_images), axis=1)
        yield Chunk(images, {**known, "caption": tokens(captions(factors)), **maps})


def _factors(rows: np.ndarray, kind: np.ndarray, seed: int) -> Factors:
    """The factors of the images with these numbers; each is decided by the seed and its number alone."""
    u = _chances(rows, seed)
    return _decided(u, kind, RADII[0] + (RADII[1] - RADII[0]) * u[:, 0])


def _swept(rows: np.ndarray, kind: np.ndarray, seed: int, sweep_images: int) -> Factors:
    """The same in sweeps; the place of a shape leaves room for the largest radius."""
    sweep, varied = _sweeps(rows, sweep_images)
    u = np.where(_OWN[varied], _chances(rows, seed), _chances(sweep, seed, 1))
    factors = _decided(u, kind, np.full(len(rows), RADII[1]))
    return factors._replace(radius=RADII[0] + (RADII[1] - RADII[0]) * u[:, 0])


def _chances(rows: np.ndarray, *seed: int) -> np.ndarray:
    """Six numbers from 0 to 1 for each row [n 6]."""
    return np.stack([np.random.default_rng((seed[0], int(row), *seed[1:])).random(6) for row in rows])


def _decided(u: np.ndarray, kind: np.ndarray, radius: np.ndarray) -> Factors:
    """What random numbers decide of shapes of these kinds and radii, each wholly inside the image."""
    free = SIDE - 2 * (radius + 1)
    place = radius[:, None] + 1 + free[:, None] * u[:, 1:3]
    angle = np.where(kind == 0, 0.0, u[:, 3] * _TURNS[kind])
    color, style = (np.floor(u[:, i] * n).astype(np.int64) for i, n in ((4, len(COLORS)), (5, len(STYLES))))
    return Factors(kind.astype(np.int64), color, style, radius, angle, place[:, 0], place[:, 1])


def draw(factors: Factors) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images [n 64 64 3], masks of the shapes [n 64 64] of 0 and 1, and their edges [n 64 64] of 0 and 255."""
    depth = _depth(factors)
    hole = _cover(depth - STROKE) * (factors.style == 1)[:, None, None]
    cover = (_cover(depth) - hole)[..., None]
    ink = np.array(list(COLORS.values()))[factors.color][:, None, None]
    images = np.rint(cover * ink + (1 - cover) * BACKGROUND).astype(np.uint8)
    return images, (depth >= 0).astype(np.uint8), (np.abs(depth) < 0.75).astype(np.uint8) * np.uint8(255)


def captions(factors: Factors) -> list[str]:
    """A sentence for each image."""
    sizes = np.array(SIZES)[np.digitize(factors.radius, np.linspace(*RADII, 4)[1:3])]
    colors = np.array(list(COLORS))[factors.color]
    places = [_place(row, column) for row, column in zip(factors.row, factors.column, strict=True)]
    styles, kinds = np.array(STYLES)[factors.style], np.array(KINDS)[factors.kind]
    words = zip(sizes, styles, colors, kinds, places, strict=True)
    return [f"a {size} {style} {color} {kind} {place}" for size, style, color, kind, place in words]


def tokens(texts: Sequence[str]) -> np.ndarray:
    """The words of captions as numbers of WORDS [n 11], 0 after the last."""
    found = np.zeros((len(texts), CAPTION_WORDS), np.uint8)
    for row, text in zip(found, texts, strict=True):
        numbers = [WORDS.index(word) for word in text.split()]
        row[: len(numbers)] = numbers
    return found


def _place(row: float, column: float) -> str:
    return f"{DOWN[int(row * 3 // SIDE)]} {ACROSS[int(column * 3 // SIDE)]}".strip()


def _cover(depth: np.ndarray) -> np.ndarray:
    """The share of each pixel that lies inside an edge, by the depth of its middle."""
    return np.clip(depth + 0.5, 0, 1)


def _depth(factors: Factors) -> np.ndarray:
    """How far the middle of each pixel is inside the shape, in pixels (negative outside) [n 64 64]."""
    points = np.arange(SIDE, dtype=np.float32) + 0.5
    down = points[None, :, None] - factors.row[:, None, None].astype(np.float32)
    right = points[None, None, :] - factors.column[:, None, None].astype(np.float32)
    radius = factors.radius[:, None, None].astype(np.float32)
    depth = np.empty((len(factors.kind), SIDE, SIDE), np.float32)
    for kind in np.unique(factors.kind):
        mine = factors.kind == kind
        turned = np.deg2rad(factors.angle[mine])[:, None, None].astype(np.float32)
        depth[mine] = _inside(int(kind), down[mine], right[mine], radius[mine], turned)
    return depth


def _inside(kind: int, down: np.ndarray, right: np.ndarray, radius: np.ndarray, turned: np.ndarray) -> np.ndarray:
    away = np.hypot(down, right)
    if KINDS[kind] == "disc":
        return radius - away
    corners = (0, 4, 3, 5)[kind]
    half = np.float32(np.pi / corners)
    heading = np.arctan2(-down, right) - turned - np.float32(np.pi / 2)
    star = KINDS[kind] == "star"
    # the angle from the nearest tip of a star, or from the middle of the nearest side of another shape
    around = np.abs((heading + half * star) % (2 * half) - half)
    if not star:
        return radius * np.cos(half) - away * np.cos(around)
    # the edge of a ray runs from its tip to a notch at 0.45 of the radius
    tip, notch = radius, 0.45 * radius
    x, y = away * np.cos(around), away * np.sin(around)
    edge_x, edge_y = notch * np.cos(half) - tip, notch * np.sin(half)
    return (edge_x * y - edge_y * (x - tip)) / np.hypot(edge_x, edge_y)
