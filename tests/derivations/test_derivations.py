"""What each derivation makes of images, against libraries, closed forms and tables made by hand."""

from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from genpipe import registry
from genpipe.errors import Unsuitable
from genpipe.interfaces.derivations import Derivation
from genpipe.interfaces.spec import DataSpec

COLOR = np.random.default_rng(0).integers(0, 256, (3, 3, 24, 16), dtype=np.uint8)


def built(name: str, spec: DataSpec, **knobs: Any) -> Derivation:
    kind = registry.load("derivations", name)
    return kind(kind.Config(**knobs), spec)


def made(name: str, images: np.ndarray, *, seed: int = 0, **knobs: Any) -> np.ndarray:
    """The rows of images, each with a generator of its own where the derivation is random."""
    found = built(name, DataSpec(*images.shape[1:]), **knobs)
    rngs = [np.random.default_rng((seed, k)) for k in range(len(images))] if found.random else []
    rows = found.rows(images, rngs)
    assert (rows.dtype, rows.shape[1:]) == (np.uint8, found.field.shape)
    return rows


@pytest.mark.parametrize("name", registry.names("derivations"))
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 16)])
def test_a_row_depends_on_its_image_and_generator_alone(name: str, shape: tuple[int, int, int]) -> None:
    if (name, shape[0]) == ("grayscale", 1):
        return
    images = np.random.default_rng(1).integers(0, 256, (5, *shape), dtype=np.uint8)
    before, found = images.copy(), built(name, DataSpec(*shape))

    def rngs(*rows: int) -> list[np.random.Generator]:
        return [np.random.default_rng(row) for row in rows] if found.random else []

    rows = found.rows(images, rngs(*range(5)))
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(found.rows(images[[3, 1]], rngs(3, 1)), rows[[3, 1]])
    assert found.rows(images[:0], []).shape == (0, *found.field.shape)
    assert np.array_equal(found.rows(images, rngs(*range(5, 10))), rows) == (not found.random)


def test_a_step_from_black_to_white_is_an_edge_two_pixels_wide() -> None:
    step = np.zeros((1, 1, 4, 6), np.uint8)
    step[..., 3:] = 255
    assert made("edges", step)[0, 0].tolist() == [[0, 0, 255, 255, 0, 0]] * 4
    assert made("edges", step.swapaxes(2, 3))[0, 0].T.tolist() == [[0, 0, 255, 255, 0, 0]] * 4
    dot = np.zeros((1, 1, 5, 5), np.uint8)
    dot[0, 0, 2, 2] = 100
    side, corner = 50, round(100 * 2**0.5 / 4)  # gx = ±2 · 100, or gx = gy = ±100; all divided by 4
    table = [[0] * 5, [0, corner, side, corner, 0], [0, side, 0, side, 0], [0, corner, side, corner, 0], [0] * 5]
    assert made("edges", dot)[0, 0].tolist() == table
    assert (made("edges", dot, threshold=50)[0, 0] == 255 * (np.array(table) >= 50)).all()


def test_edges_are_those_of_scipy() -> None:
    gray = np.stack([np.asarray(Image.fromarray(image.transpose(1, 2, 0)).convert("L")) for image in COLOR])
    gx, gy = (np.stack([ndimage.sobel(g.astype(float), axis, mode="nearest") for g in gray]) for axis in (1, 0))
    np.testing.assert_array_equal(made("edges", COLOR)[:, 0], np.minimum(np.rint(np.hypot(gx, gy) / 4), 255))
    np.testing.assert_array_equal(made("edges", gray[:, None]), made("edges", COLOR))


def test_grayscale_is_pillow_s() -> None:
    expected = [np.asarray(Image.fromarray(image.transpose(1, 2, 0)).convert("L")) for image in COLOR]
    np.testing.assert_array_equal(made("grayscale", COLOR)[:, 0], expected)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_low_resolution_is_pillow_s_bicubic_to_the_bit(factor: int) -> None:
    pictures = (Image.fromarray(image.transpose(1, 2, 0)) for image in COLOR)
    small = [np.asarray(p.resize((16 // factor, 24 // factor), Image.Resampling.BICUBIC)) for p in pictures]
    np.testing.assert_array_equal(made("low_resolution", COLOR, factor=factor), np.stack(small).transpose(0, 3, 1, 2))


@pytest.mark.parametrize("pixels", [1, 2, 3])
def test_dilation_and_erosion_are_those_of_scipy(pixels: int) -> None:
    down, right = np.mgrid[-pixels : pixels + 1, -pixels : pixels + 1]
    disk = (down**2 + right**2 <= pixels**2)[None, None]
    dilated = ndimage.grey_dilation(COLOR, footprint=disk, mode="constant", cval=0)
    eroded = ndimage.grey_erosion(COLOR, footprint=disk, mode="constant", cval=255)
    np.testing.assert_array_equal(made("morphology", COLOR, pixels=pixels), dilated)
    np.testing.assert_array_equal(made("morphology", COLOR, operation="erode", pixels=pixels), eroded)


def test_a_light_stroke_becomes_thicker_or_goes() -> None:
    stroke = np.zeros((1, 1, 5, 5), np.uint8)
    stroke[..., 2] = 200
    assert made("morphology", stroke, operation="dilate")[0, 0].tolist() == [[0, 200, 200, 200, 0]] * 5
    assert not made("morphology", stroke, operation="erode").any()


def test_noise_has_the_deviation_and_is_cut_off_where_levels_end() -> None:
    gray = np.full((4, 1, 64, 64), 128, np.uint8)
    noise = made("noise", gray, std=20.0).astype(float) - 128
    standard_error = 20 / noise.size**0.5
    assert abs(noise.mean()) < 4 * standard_error
    assert abs(noise.std() - (20**2 + 1 / 12) ** 0.5) < 4 * standard_error / 2**0.5, (
        "rounding adds 1/12 to the variance"
    )
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 4 / 64
    assert (made("noise", np.zeros_like(gray)) == 0).mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("kind", ["boxes", "center", "free_form"])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (24, 40), (5, 3)])
def test_holes_have_a_share_within_the_bounds(kind: str, height: int, width: int) -> None:
    images = np.zeros((200, 1, height, width), np.uint8)
    pixels = made("holes", images, kind=kind, min_share=0.2, max_share=0.5).sum((1, 2, 3), dtype=int)
    least, most = -(-height * width // 5), height * width // 2
    row = height if kind == "center" else 0
    assert least - row <= pixels.min()
    assert pixels.max() <= most
    middle, even = (least + most) / 2, (most - least + 1) / 12**0.5
    assert abs(pixels.mean() + row / 2 - middle) <= 4 * even / 200**0.5 + row / 2, "every number as often"


@pytest.mark.parametrize("kind", ["boxes", "center", "free_form"])
def test_no_hole_is_all_or_nothing(kind: str) -> None:
    images = np.zeros((50, 1, 4, 4), np.uint8)
    for bounds in ((0.001, 0.01), (0.99, 0.999)):
        with pytest.raises(Unsuitable, match=r"no whole number of the 16 pixels is 0\.\d+ to 0\.\d+ of them"):
            made("holes", images, kind=kind, min_share=bounds[0], max_share=bounds[1])
    pixels = made("holes", images, kind=kind, min_share=0.001, max_share=0.999).sum((1, 2, 3))
    assert (pixels.min(), pixels.max()) in {(1, 15), (1, 12)}, "a box in the middle is made of whole rows"


def test_the_box_in_the_center_is_half_as_high_and_wide() -> None:
    for height, width in ((8, 8), (4, 12), (32, 64)):
        expected = np.zeros((height, width), bool)
        expected[height // 4 : -(height // 4), width // 4 : -(width // 4)] = True
        hole = made("holes", np.zeros((1, 3, height, width), np.uint8), kind="center", min_share=0.25, max_share=0.25)
        np.testing.assert_array_equal(hole[0, 0], expected)


def test_a_single_box_is_a_box() -> None:
    holes = made("holes", np.zeros((300, 1, 32, 32), np.uint8), min_share=0.015625, max_share=0.015625)[:, 0]
    boxes = [hole for hole in holes if hole.any(0).sum() * hole.any(1).sum() == 16]
    assert len(boxes) > 50, "of 16 pixels, many are whole rows of one box"
    across = [np.argwhere(hole)[:, 1].mean() for hole in holes]
    assert abs(np.mean(across) - 15.5) < 4 * np.std(across) / 300**0.5, "anywhere, as often on the left as on the right"


@pytest.mark.parametrize(
    ("name", "shape", "knobs", "message"),
    [
        ("grayscale", (1, 8, 8), {}, "made of color images, and these have 1 channel. Take it out"),
        ("edges", (2, 8, 8), {}, "made of gray or color images, and these have 2 channels"),
        ("low_resolution", (1, 28, 28), {"factor": 8}, "images of 28×28 pixels no side can be 8 times smaller"),
        ("low_resolution", (1, 32, 30), {}, "images of 30×32 pixels no side can be 4 times smaller"),
        ("holes", (1, 1, 1), {}, "no whole number of the 1 pixels is 0.1 to 0.4 of them"),
    ],
)
def test_what_cannot_be_made_of_such_images_is_refused(
    name: str, shape: tuple[int, int, int], knobs: dict[str, Any], message: str
) -> None:
    with pytest.raises(Unsuitable, match=message.replace(".", r"\.")):
        built(name, DataSpec(*shape), **knobs)
