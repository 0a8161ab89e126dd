"""Images resized: byte for byte as if the whole were scaled and then cut, without the whole ever being there."""

import numpy as np
import pytest
from PIL import Image

from genpipe.dataset import fitting
from genpipe.dataset.fitting import fitted


def test_pad_puts_the_picture_untouched_on_black() -> None:
    images = np.random.default_rng(0).integers(1, 256, (4, 6, 6, 1), dtype=np.uint8)
    padded = fitted(images, 10, "pad")
    assert (padded[:, 2:8, 2:8] == images).all()
    assert padded.sum() == images.sum()


def test_pad_shrinks_what_is_too_large_and_keeps_its_aspect() -> None:
    wide = np.full((1, 10, 40, 3), 255, np.uint8)
    padded = fitted(wide, 20, "pad")
    assert padded.shape == (1, 20, 20, 3)
    assert (padded[0, 8:12] > 250).all(), "a band of 5 rows, less its edges"
    assert padded[0, :7].sum() == 0


def test_crop_takes_the_center() -> None:
    wide = np.zeros((1, 4, 12, 1), np.uint8)
    wide[:, :, 4:8] = 255
    assert (fitted(wide, 4, "crop") == 255).all()


def test_stretch_fills_the_square() -> None:
    assert fitted(np.full((1, 3, 9, 3), 77, np.uint8), 6, "stretch").tolist() == np.full((1, 6, 6, 3), 77).tolist()


def test_pad_stretch_and_crop_of_what_is_not_square_are_pillow_s() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    picture = Image.fromarray(image)
    stretched = np.asarray(picture.resize((24, 12), Image.Resampling.BICUBIC))
    assert (fitted(image[None], (12, 24), "stretch")[0] == stretched).all()
    padded = np.zeros((12, 24, 3), np.uint8)
    padded[:, 4:20] = np.asarray(picture.resize((16, 12), Image.Resampling.BICUBIC))
    assert (fitted(image[None], (12, 24), "pad")[0] == padded).all()
    covering = np.asarray(picture.resize((24, 18), Image.Resampling.BICUBIC))
    assert (fitted(image[None], (12, 24), "crop")[0] == covering[3:15]).all()
    labels = np.arange(1200).reshape(1, 30, 40, 1)
    assert (fitted(labels, (15, 10), "crop", nearest=True)[0, :, :, 0] == labels[0, 1::2, 11:31:2, 0]).all()


@pytest.mark.parametrize("fit", ["pad", "crop", "random_crop", "stretch"])
def test_a_square_is_the_same_by_number_and_by_sides(fit: str) -> None:
    image, at = np.random.default_rng(0).integers(0, 256, (1, 30, 40, 1), dtype=np.uint8), [(0.2, 0.7)]
    assert (fitted(image, 12, fit, at) == fitted(image, (12, 12), fit, at)).all()


def whole_then_cut(image: np.ndarray, size: tuple[int, int], place: tuple[float, float] | None) -> np.ndarray:
    """The plain way: scaled so that it just covers the size, then the center, or a place, taken."""
    height, width, channels = image.shape
    tall, wide = (round(side * max(size[0] / height, size[1] / width)) for side in (height, width))
    picture = Image.fromarray(image[..., 0] if channels == 1 else image)
    scaled = np.asarray(picture.resize((wide, tall), Image.Resampling.BICUBIC)).reshape(tall, wide, channels)
    down, right = tall - size[0], wide - size[1]
    top, left = down // 2, right // 2
    if place:
        top, left = int(place[0] * (down + 1)), int(place[1] * (right + 1))
    return scaled[top : top + size[0], left : left + size[1]]


@pytest.mark.parametrize("most", [1, 500, 2**22], ids=["a row at a time", "some rows at a time", "whole"])
def test_what_is_cut_out_is_to_the_byte_what_it_is_of_the_whole(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(fitting, "_WHOLE_PIXELS", most)
    rng = np.random.default_rng(0)
    for _ in range(150):
        short, aspect = np.exp(rng.uniform(0, np.log(60))), np.exp(rng.uniform(0, np.log(50)))
        sides = [int(short), int(short * aspect)]
        height, width = sides if rng.random() < 0.5 else sides[::-1]
        high, channels = int(np.exp(rng.uniform(0, np.log(60)))), int(rng.choice([1, 3]))
        size = (high, high) if rng.random() < 0.5 else (high, int(np.exp(rng.uniform(0, np.log(60)))))
        image = rng.integers(0, 256, (height, width, channels), dtype=np.uint8)
        place = (float(rng.random()), float(rng.random()))
        said = f"{height}×{width}×{channels} to {size}"
        assert (fitted(image[None], size, "crop")[0] == whole_then_cut(image, size, None)).all(), said
        assert (fitted(image[None], size, "random_crop", [place])[0] == whole_then_cut(image, size, place)).all(), said


@pytest.mark.parametrize(("height", "width"), [(1, 50), (50, 1), (60, 3000), (3000, 60)])
@pytest.mark.parametrize("fit", ["crop", "random_crop"])
def test_no_more_of_a_long_picture_is_scaled_at_once_than_the_outcome_needs(
    monkeypatch: pytest.MonkeyPatch, height: int, width: int, fit: str
) -> None:
    sizes: list[int] = []
    resize = Image.Image.resize

    def noted(self: Image.Image, size: tuple[int, int], *more: object) -> Image.Image:
        sizes.extend([self.width * self.height, size[0] * size[1]])
        return resize(self, size, *more)

    monkeypatch.setattr(Image.Image, "resize", noted)
    monkeypatch.setattr(fitting, "_WHOLE_PIXELS", 64 * 64)
    assert fitted(np.ones((1, height, width, 1), np.uint8), 64, fit, [(0.5, 0.5)]).shape == (1, 64, 64, 1)
    assert sizes
    assert max(sizes) <= 1.25 * 64 * 64, "scaled whole, there would be fifty times as much"
