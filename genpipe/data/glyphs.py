"""Capital letters in 21 typefaces, 64×64 in gray: real designs of which letter and face are known, without a download.

The faces come with matplotlib: DejaVu (Bitstream Vera licence; its changes are in the public domain), STIX (SIL Open
Font License 1.1) and BaKoMa Computer Modern (BaKoMa Fonts Licence). All three allow to use and pass on the fonts.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydantic import Field, model_validator

from genpipe.dataset.splitting import pieces, splits_of
from genpipe.errors import nearest
from genpipe.interfaces.sources import Chunk, Collection, Source
from genpipe.interfaces.spec import FieldSpec
from genpipe.schema import Strict

SIDE = 64
LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
FINER = 2
"""A letter is drawn with so many more pixels along each side, from a master with so many more again."""
CAP_PIXELS = 32
"""The height of an H at scale 1; then the widest letter, turned and shifted, ends two pixels from the edge."""
SCALES, DEGREES, SHIFT_PIXELS = (0.85, 1.0), 5.0, 2.0
PAPER, INK = 255, 16


class Face(NamedTuple):
    """A typeface: its file in matplotlib, and its style."""

    file: str
    bold: bool = False
    italic: bool = False
    serif: bool = False
    mono: bool = False


FACES = {
    "DejaVu Sans": Face("DejaVuSans"),
    "DejaVu Sans Bold": Face("DejaVuSans-Bold", bold=True),
    "DejaVu Sans Oblique": Face("DejaVuSans-Oblique", italic=True),
    "DejaVu Sans Bold Oblique": Face("DejaVuSans-BoldOblique", bold=True, italic=True),
    "DejaVu Sans Mono": Face("DejaVuSansMono", mono=True),
    "DejaVu Sans Mono Bold": Face("DejaVuSansMono-Bold", bold=True, mono=True),
    "DejaVu Sans Mono Oblique": Face("DejaVuSansMono-Oblique", italic=True, mono=True),
    "DejaVu Sans Mono Bold Oblique": Face("DejaVuSansMono-BoldOblique", bold=True, italic=True, mono=True),
    "DejaVu Serif": Face("DejaVuSerif", serif=True),
    "DejaVu Serif Bold": Face("DejaVuSerif-Bold", bold=True, serif=True),
    "DejaVu Serif Italic": Face("DejaVuSerif-Italic", italic=True, serif=True),
    "DejaVu Serif Bold Italic": Face("DejaVuSerif-BoldItalic", bold=True, italic=True, serif=True),
    "STIX": Face("STIXGeneral", serif=True),
    "STIX Bold": Face("STIXGeneralBol", bold=True, serif=True),
    "STIX Italic": Face("STIXGeneralItalic", italic=True, serif=True),
    "STIX Bold Italic": Face("STIXGeneralBolIta", bold=True, italic=True, serif=True),
    "Computer Modern": Face("cmr10", serif=True),
    "Computer Modern Bold": Face("cmb10", bold=True, serif=True),
    "Computer Modern Italic": Face("cmti10", italic=True, serif=True),
    "Computer Modern Sans": Face("cmss10"),
    "Computer Modern Typewriter": Face("cmtt10", serif=True, mono=True),
}
ATTRIBUTES = ("bold", "italic", "serif")
STYLES = {
    **{style: [n for n, face in enumerate(FACES.values()) if getattr(face, style)] for style in (*ATTRIBUTES, "mono")},
    **{
        other: [n for n, face in enumerate(FACES.values()) if not getattr(face, style)]
        for other, style in {"regular": "bold", "upright": "italic", "sans": "serif"}.items()
    },
}
"""The numbers of the faces of each style."""


class Glyphs(Source):
    """One letter, black on white, a little shifted, turned and scaled; the letter is the class.

    The field `source` is the same letter in another face, in the same place; `face` and `attributes` (bold, italic,
    serif) say how the letter is designed.
    """

    class Config(Strict):
        images: Annotated[int, Field(ge=260, le=10_000_000)] = 10_000
        test_images: Annotated[int, Field(ge=26)] = 1000
        source_face: str = "DejaVu Sans"
        """The face of the field `source`."""
        faces: Annotated[list[str], Field(min_length=1)] | None = None
        """The faces of the letters, or styles of faces: serif, sans, mono, bold, regular, italic, upright."""
        domains: Annotated[list[str], Field(min_length=2, max_length=2)] | None = None
        """Two faces or styles; half of the letters are of each, and the field `domain` says which."""

        @model_validator(mode="after")
        def _known(self) -> Any:
            if self.faces and self.domains:
                raise ValueError("faces and domains both say which faces there are; give one of them")
            if self.source_face not in FACES:
                raise ValueError(
                    f"source_face: no face is called '{self.source_face}'.{nearest(self.source_face, FACES)}"
                )
            sets = [numbers_of(name) for name in self.domains or ()]
            if sets and not set(sets[0]).isdisjoint(sets[1]):
                raise ValueError(f"domains: some faces are both {' and '.join(self.domains or ())}; none may be")
            for name in self.faces or ():
                numbers_of(name)
            return self

    classes = LETTERS
    channels = 1
    field_knobs = {"domain": {"domains": ["serif", "sans"]}}

    def __init__(self, config: Config, root: Path) -> None:
        self.config = config

    @property
    def fields(self) -> Mapping[str, FieldSpec]:
        domains = tuple(self.config.domains or ())
        return {
            "source": FieldSpec("image", (1, SIDE, SIDE)),
            "face": FieldSpec("class", (), len(FACES), tuple(FACES)),
            "attributes": FieldSpec("attributes", (len(ATTRIBUTES),), names=ATTRIBUTES),
            **({"domain": FieldSpec("class", (), 2, domains)} if domains else {}),
        }

    def collection(self, seed: int) -> Collection:
        letters = np.arange(self.config.images) % len(LETTERS)
        parts = splits_of(letters, len(letters), self.config.test_images, seed)
        return Collection(lambda rows: self._drawn(rows, letters[rows], seed), parts, letters)

    def _drawn(self, rows: np.ndarray, letters: np.ndarray, seed: int) -> Iterator[Chunk]:
        reference = list(FACES).index(self.config.source_face)
        for some, letter in zip(pieces(rows), pieces(letters), strict=True):
            chances = np.stack([np.random.default_rng((seed, int(row))).random(5) for row in some])
            domain = some // len(LETTERS) % 2
            face = self._faces(domain, chances[:, 0])
            images, source = (draw(of, letter, chances[:, 1:]) for of in (face, np.full(len(some), reference)))
            attributes = np.array([[getattr(one, name) for name in ATTRIBUTES] for one in FACES.values()])[face]
            known = {"source": source, "face": face, "attributes": attributes.astype(np.uint8)}
            yield Chunk(images, {**known, **({"domain": domain} if self.config.domains else {})})

    def _faces(self, domain: np.ndarray, chance: np.ndarray) -> np.ndarray:
        """The number of each letter's face, drawn from those of its domain, or from all that are wanted."""
        if self.config.domains:
            sets = [numbers_of(name) for name in self.config.domains]
        else:
            sets = [sorted({n for name in self.config.faces or FACES for n in numbers_of(name)})] * 2
        return np.array([sets[which][int(u * len(sets[which]))] for which, u in zip(domain, chance, strict=True)])


def numbers_of(name: str) -> list[int]:
    """Returns the numbers of the faces of this name or style. Raises ValueError if there are none."""
    if name in FACES:
        return [list(FACES).index(name)]
    if name not in STYLES:
        raise ValueError(f"no face and no style is called '{name}'.{nearest(name, [*FACES, *STYLES])}")
    return STYLES[name]


def draw(faces: np.ndarray, letters: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """Returns letters in these faces [n 64 64 1], placed by four numbers from 0 to 1 each [n 4]."""
    scale = SCALES[0] + (SCALES[1] - SCALES[0]) * chances[:, 0]
    turn = np.deg2rad(DEGREES) * (2 * chances[:, 1] - 1)
    shift = SHIFT_PIXELS * (2 * chances[:, 2:] - 1)
    images = map(_placed, faces.tolist(), letters.tolist(), scale.tolist(), turn.tolist(), shift.tolist())
    return np.stack([np.asarray(image) for image in images])[..., None]


def _placed(face: int, letter: int, scale: float, turn: float, shift: list[float]) -> Image.Image:
    """A master scaled and turned about its middle (counterclockwise), then shifted right and down."""
    side, step = SIDE * FINER, FINER / scale
    a, b = step * float(np.cos(turn)), step * float(np.sin(turn))
    x, y = (side / 2 + FINER * pixels for pixels in shift)
    middle = side * FINER / 2
    matrix = (a, -b, middle - a * x + b * y, b, a, middle - b * x - a * y)
    master = _master(face, letter)
    drawn = master.transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=PAPER)
    return drawn.reduce(FINER)


@lru_cache(maxsize=len(FACES) * len(LETTERS))
def _master(face: int, letter: int) -> Image.Image:
    """A letter with its ink in the middle from left to right, and an H of its face from top to bottom."""
    side, cap, font = SIDE * FINER**2, CAP_PIXELS * FINER**2, _font(face)
    left, _, right, _ = font.getbbox(LETTERS[letter], anchor="ls")
    image = Image.new("L", (side, side), PAPER)
    at = round((side - left - right) / 2), (side + cap) // 2
    ImageDraw.Draw(image).text(at, LETTERS[letter], INK, font, anchor="ls")
    return image


@lru_cache(maxsize=len(FACES))
def _font(face: int) -> ImageFont.FreeTypeFont:
    """A face in the size in which its H is as high as it should be."""
    import matplotlib

    file = Path(matplotlib.get_data_path()) / "fonts/ttf" / f"{list(FACES.values())[face].file}.ttf"

    def opened(size: float) -> ImageFont.FreeTypeFont:
        return ImageFont.truetype(file, size, layout_engine=ImageFont.Layout.BASIC)

    return opened(1000 * CAP_PIXELS * FINER**2 / -opened(1000.0).getbbox("H", anchor="ls")[1])
