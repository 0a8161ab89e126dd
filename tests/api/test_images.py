"""Images of arrays, tensors, pictures and files, and what a notebook shows of them."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import genpipe
from genpipe.errors import DataError, GenpipeError, UnknownName, UsageError

GRAY = np.random.default_rng(0).integers(0, 256, (5, 6, 6), dtype=np.uint8)
COLOR = np.random.default_rng(1).integers(0, 256, (5, 6, 6, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (GRAY, GRAY[..., None]),
        (GRAY[:, None], GRAY[..., None]),
        (COLOR, COLOR),
        (np.moveaxis(COLOR, -1, 1), COLOR),
        (torch.from_numpy(COLOR), COLOR),
        (GRAY / 255, GRAY[..., None]),
        (torch.from_numpy(GRAY / 255).bfloat16().round(), (GRAY > 127)[..., None] * np.uint8(255)),
        (GRAY > 127, (GRAY > 127)[..., None] * np.uint8(255)),
        ([Image.fromarray(one) for one in COLOR], COLOR),
        (Image.fromarray(GRAY[0]), GRAY[:1, ..., None]),
        (np.concatenate([COLOR, np.full((5, 6, 6, 1), 255, np.uint8)], -1), COLOR),
    ],
)
def test_images_of_what_is_certain(given: Any, wanted: np.ndarray) -> None:
    found = genpipe.images(given)
    assert isinstance(found, genpipe.Images)
    assert found.dtype == np.uint8
    assert np.array_equal(found, wanted)
    assert np.array_equal(genpipe.images(found.planes), wanted)


def test_black_and_white_are_asked_for_where_they_are_not_certain() -> None:
    with pytest.raises(DataError, match=r"float64 from -1.0 to .*not certain.*value_range=\(BLACK, WHITE\)"):
        genpipe.images(GRAY / 127.5 - 1)
    assert np.array_equal(genpipe.images(GRAY / 127.5 - 1, value_range=(-1, 1))[..., 0], GRAY)
    with pytest.raises(GenpipeError, match=r"genpipe.images: value_range: the value of black comes first"):
        genpipe.images(GRAY, value_range=(1, 0))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (GRAY[0], r"of one image x\[None\]"),
        (np.zeros((0, 6, 6), np.uint8), "no array of images"),
        (GRAY.astype(complex), "no array of images"),
        (GRAY.astype(np.uint16), "not certain"),
        (np.zeros((5, 3, 3, 3), np.uint8), "either end may be the channels"),
        (np.zeros((5, 3, 4, 4), np.uint8), "either end may be the channels"),
        (np.zeros((5, 6, 6, 7), np.uint8), "images of shape"),
        ([GRAY[0], GRAY[1][:3]], "differ in shape"),
        (Path("nowhere"), "there is no nowhere"),
        ([Image.fromarray(GRAY[0]), Image.fromarray(COLOR[0])], "Say with channels= what all"),
        (Image.new("CMYK", (6, 6)), r"of CMYK.*convert\('RGB'\)"),
    ],
)
def test_what_is_not_certain_or_no_image_is_refused(given: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        genpipe.images(given)


def test_the_only_squares_are_meant() -> None:
    assert genpipe.images(np.full((5, 4, 4, 3), 9, np.uint8)).shape == (5, 4, 4, 3)


def test_options_are_named_as_arguments(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"size should be pixels from 1, or \[height, width\].* but \(0, 8\) is given"):
        genpipe.images(GRAY, size=(0, 8))
    assert np.array_equal(genpipe.images(GRAY[:, :4])[..., 0], GRAY[:, :4])
    assert genpipe.images(GRAY, size=(5, 9)).shape == (5, 5, 9, 1)
    assert genpipe.images(GRAY[:, :4], size=8, resize_mode="pad", channels=3).shape == (5, 8, 8, 3)
    with pytest.raises(UnknownName, match=r"'paad'.*Did you mean 'pad'"):
        genpipe.images(GRAY, size=8, resize_mode="paad")
    Image.fromarray(GRAY[0]).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"b.png cannot be read.*with skip_broken=True"):
        genpipe.images(tmp_path)
    with pytest.warns(UserWarning, match="left out 1 of 2"):
        assert np.array_equal(genpipe.images(tmp_path, skip_broken=True)[0, ..., 0], GRAY[0])
    assert np.array_equal(genpipe.images(str(tmp_path / "a.png"))[0, ..., 0], GRAY[0])
    with pytest.raises(UsageError, match="value_range is for arrays in memory"):
        genpipe.images(tmp_path, value_range=(0, 1))


def shown(some: genpipe.Images) -> np.ndarray:
    content = some._repr_png_()
    assert content
    return np.asarray(Image.open(BytesIO(content)))


def test_a_notebook_shows_a_grid(tmp_path: Path) -> None:
    some = genpipe.images(COLOR)
    assert shown(some).shape == (2 * 8 + 2, 3 * 8 + 2, 3)
    assert np.array_equal(shown(some)[2:8, 2:8], COLOR[0])
    assert np.array_equal(shown(some[4])[2:8, 2:8], COLOR[4])
    assert shown(genpipe.images(np.full((1000, 2, 2), 9, np.uint8))).shape == (20 * 4 + 2, 20 * 4 + 2)
    some.save(tmp_path / "row.png", columns=5)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "row.png")), some.picture(5))
    assert some.picture(5).shape == (10, 42, 3)
    with pytest.raises(UsageError, match=r"is no \.png"):
        some.save(tmp_path / "row.jpg")


def test_what_is_computed_is_a_plain_array() -> None:
    some = genpipe.images(COLOR)
    assert type(some / 255) is np.ndarray
    assert type(some == 0) is np.ndarray
    assert some.mean() == COLOR.mean()
    assert some[..., 0]._repr_png_() is None
    with pytest.raises(UsageError, match=r"Images are uint8 \[n h w c\].*float64"):
        genpipe.Images(COLOR / 255)
