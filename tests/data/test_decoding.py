"""Every kind of picture file read right; the expected pixels are written down, or come from another way to them."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genpipe.dataset import decoding
from genpipe.dataset.decoding import Broken, colored, decoded
from genpipe.dataset.working import Target, Work, done

RED, GREEN, BLUE, CLEAR = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 128), (9, 9, 9, 0)


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def pixels(content: bytes, channels: int = 3) -> list:
    found = decoded(content, channels)
    assert found.shape[2] == channels
    return (found[..., 0] if channels == 1 else found).tolist()


def test_gray_stays_gray_and_becomes_three_equal_channels() -> None:
    content = saved(Image.fromarray(np.array([[0, 7, 255]], np.uint8)), "PNG")
    assert pixels(content, 1) == [[0, 7, 255]]
    assert pixels(content) == [[[0] * 3, [7] * 3, [255] * 3]]
    assert not colored(content)


def test_color_becomes_gray_by_the_weights_of_itu_601() -> None:
    content = saved(Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)), "PNG")
    assert pixels(content, 1) == [[76, 150, 29]]
    assert colored(content)


def test_transparency_shows_white() -> None:
    content = saved(Image.fromarray(np.array([[RED, BLUE, CLEAR]], np.uint8)), "PNG")
    assert pixels(content) == [[[255, 0, 0], [127, 127, 255], [255, 255, 255]]]
    gray = saved(Image.fromarray(np.array([[[0, 255], [0, 0]]], np.uint8), "LA"), "PNG")
    assert pixels(gray, 1) == [[0, 255]]


def test_a_palette_with_and_without_transparency() -> None:
    picture = Image.new("P", (3, 1))
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.putdata([0, 1, 2])
    assert pixels(saved(picture, "PNG")) == [[[255, 0, 0], [0, 255, 0], [0, 0, 255]]]
    assert pixels(saved(picture, "PNG", transparency=1)) == [[[255, 0, 0], [255, 255, 255], [0, 0, 255]]]
    assert pixels(saved(picture, "PNG", transparency=b"\xff\x00\x80")) == [[[255, 0, 0], [255] * 3, [127, 127, 255]]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_gray_keeps_its_high_levels(kind: str) -> None:
    values = np.array([[0, 257, 128 * 257, 65535]], np.uint16)
    assert pixels(saved(Image.fromarray(values), kind), 1) == [[0, 1, 128, 255]]
    assert pixels(saved(Image.fromarray(values), kind))[0][2] == [128] * 3


def test_16_bit_color() -> None:
    """Made by hand, since PIL cannot write it."""
    row = b"\0" + struct.pack(">6H", 65535, 0, 128 * 257, 257, 2 * 257, 3 * 257)
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    assert pixels(png) == [[[255, 0, 128], [1, 2, 3]]]


def test_floats_from_0_to_1_and_no_others() -> None:
    assert pixels(saved(Image.fromarray(np.array([[0, 0.5, 1]], np.float32)), "TIFF"), 1) == [[0, 128, 255]]
    with pytest.raises(Broken, match=r"from 0.0 to 300.0; floats from 0 to 1"):
        decoded(saved(Image.fromarray(np.array([[0, 300]], np.float32)), "TIFF"), 1)


def test_black_and_white() -> None:
    assert pixels(saved(Image.fromarray(np.array([[True, False]])), "PNG"), 1) == [[255, 0]]


def test_cmyk_is_not_read_as_its_negative() -> None:
    inks = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    (red, green, blue), *_ = pixels(saved(inks, "JPEG", quality=95))[4]
    assert (red > 230, green < 25, blue < 25) == (True, True, True)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright_whatever_the_camera_noted(kind: str, orientation: int) -> None:
    upright = np.zeros((16, 32), np.uint8)
    upright[:8, :8] = 255
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
        6: np.rot90(upright), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[274] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    content = saved(Image.fromarray(np.ascontiguousarray(stored)).convert("RGB"), kind, exif=exif, **options)
    shown = decoded(content, 1)[..., 0]
    assert shown.shape == (16, 32)
    assert (np.abs(shown.astype(int) - upright) < 8).all()


@pytest.mark.parametrize(
    ("mode", "options"),
    [("RGB", {}), ("L", {}), ("RGB", {"progressive": True}), ("RGB", {"subsampling": 0}), ("L", {"icc_profile": b"x"})],
)  # fmt: skip
def test_the_short_way_through_a_jpeg_gives_the_same_pixels(mode: str, options: dict, monkeypatch) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (23, 31, 3), dtype=np.uint8)
    content = saved(Image.fromarray(levels).convert(mode), "JPEG", **options)
    for channels in (1, 3):
        short = pixels(content, channels)
        with monkeypatch.context() as patched:
            patched.setattr(decoding, "_plain_jpeg", lambda data: None)
            assert pixels(content, channels) == short
    assert (decoding._plain_jpeg(content) is None) == ("progressive" in options or "icc_profile" in options)


def test_of_an_animation_the_first_frame() -> None:
    frames = [Image.new("RGB", (2, 2), color) for color in ("red", "blue")]
    content = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pixels(content)[0][0] == [255, 0, 0]


GOOD = saved(Image.fromarray(np.zeros((40, 40, 3), np.uint8)), "JPEG")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a picture"),
        (b"GIF89a", "."),
        (b"<html>404</html>", "not a picture"),
        (GOOD[: len(GOOD) // 2], "."),
        (saved(Image.new("RGB", (50, 50)), "PNG")[:60], "."),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
    ],
)
def test_what_is_broken_is_said_to_be_so(content: bytes, reason: str) -> None:
    with pytest.raises(Broken, match=reason):
        decoded(content, 3)


def test_a_bomb_is_refused_by_its_header() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header
    png += struct.pack(">I", zlib.crc32(b"IHDR" + header)) + struct.pack(">I", 0) + b"IDAT" + b"\0" * 4
    with pytest.raises(Broken, match=r"3600000000 pixels"):
        decoded(png, 3)
    jpeg = bytearray(GOOD)
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 65500, 65500)
    with pytest.raises(Broken, match="4290250000 pixels"):
        decoded(bytes(jpeg), 3)


BOMB = saved(Image.new("L", (1, 1_500_000)), "PNG")


@pytest.mark.parametrize(
    "content",
    [BOMB, saved(Image.new("RGB", (51, 1)), "PNG"), saved(Image.new("L", (1, 60_000)), "JPEG")],
    ids=["gray", "color", "jpeg"],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_much_longer_than_wide_is_broken(content: bytes, channels: int) -> None:
    with pytest.raises(Broken, match=r"of \d+×\d+ pixels one side is more than 50 times the other"):
        decoded(content, channels)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_fifty_times_as_long_as_wide_is_read(kind: str) -> None:
    assert decoded(saved(Image.new("L", (100, 2)), kind), 1).shape == (2, 100, 1)


@pytest.mark.parametrize("fit", ["crop", "random_crop", "pad", "stretch"])
def test_however_pictures_are_made_square_a_long_one_is_named(fit: str) -> None:
    found = done(Work([("bomb.png", BOMB)], np.arange(1), {}, Target(32, 1, fit)))
    assert (len(found.images), [name for name, _ in found.broken]) == (0, ["bomb.png"])


def test_a_file_too_large_and_a_link_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").write_bytes(GOOD)
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.jpg")
    assert decoded(tmp_path / "a.jpg", 3).shape == (40, 40, 3)
    with pytest.raises(Broken):
        decoded(tmp_path / "link.jpg", 3)
    monkeypatch.setattr(decoding, "MAX_FILE_BYTES", len(GOOD) - 1)
    with pytest.raises(Broken, match="more than"):
        decoded(tmp_path / "a.jpg", 3)
