"""Pairs, label maps, masks and domains of a person's own, and letters of which the face is known."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from genpipe.dataset.decoding import Broken, numbers
from genpipe.dataset.preparing import prepare
from genpipe.errors import DataError
from genpipe.interfaces.sources import Source
from genpipe.interfaces.spec import FieldSpec

Build = Callable[..., Source]


def save(path: Path, pixels: np.ndarray, palette: bool = False, kind: str = "PNG") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if palette:
        image = Image.fromarray(pixels, "L").convert("P")
        image.frombytes(pixels.tobytes())
        image.putpalette(np.random.default_rng(0).bytes(768))
    image.save(path, kind)


def pictures(tmp_path: Path, count: int = 10, shape: tuple[int, int] = (8, 12)) -> list[np.ndarray]:
    """Pictures of noise in the folder x, and what is in them."""
    found = [np.random.default_rng(n).integers(0, 4, (*shape, 3)).astype(np.uint8) * 60 for n in range(count)]
    for n, pixels in enumerate(found):
        save(tmp_path / f"x/{n:03}.png", pixels)
    return found


def made(tmp_path: Path, source: Source, **knobs: Any) -> Any:
    wanted = {"image_size": 8, "resize_mode": "random_crop", **knobs}
    return prepare(source, seed=0, folder=tmp_path / "out", workers=1, **wanted)


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_named_half_is_the_image(tmp_path: Path, source: Build, side: str) -> None:
    for n, pixels in enumerate(pictures(tmp_path)):
        save(tmp_path / f"ab/{n}.png", np.concatenate([pixels, 255 - pixels], 1))
    prepared = made(tmp_path, source("side_by_side", path="ab", image=side))
    x, other = prepared.images("train"), prepared.field("train", "source")
    assert (x.max() == 180) == (side == "left")
    np.testing.assert_array_equal(other, 255 - x)


def test_a_side_has_to_be_named_and_the_width_even(tmp_path: Path, source: Build) -> None:
    with pytest.raises(ValidationError, match="left"):
        source("side_by_side", path="ab", image="a2b")
    for n in range(3):
        save(tmp_path / f"ab/{n}.png", np.zeros((4, 9, 3), np.uint8))
    with pytest.raises(DataError, match=r"0\.png: it is 9 pixels wide, an odd number"):
        made(tmp_path, source("side_by_side", path="ab", image="left"))


@pytest.mark.parametrize("palette", [False, True])
def test_maps_and_masks_are_cut_as_their_images(tmp_path: Path, source: Build, palette: bool) -> None:
    for n, pixels in enumerate(pictures(tmp_path)):
        labels = pixels[..., 0] // 60
        save(tmp_path / f"map/{n}.png", np.where(labels == 3, 255, labels).astype(np.uint8), palette)
        save(tmp_path / f"mask/{n}.png", (labels > 1).astype(np.uint8) * np.uint8(255))
    fields = {"map": {"path": "map", "kind": "label_map"}, "mask": {"path": "mask", "kind": "mask"}}
    found = source("paired_folders", path="x", fields=fields)
    assert found.fields["map"] == FieldSpec("label_map", (0, 0), 4, ("0", "1", "2", "void"))
    prepared = made(tmp_path, found)
    expected = prepared.images("train")[:, 0] // 60
    np.testing.assert_array_equal(prepared.field("train", "map"), expected)
    np.testing.assert_array_equal(prepared.field("train", "mask")[:, 0], expected > 1)


@pytest.mark.parametrize(
    ("folder", "pixels", "message"),
    [
        ({"kind": "mask"}, np.full((8, 12), 255, np.uint8), r"f/3\.png: its mask covers all"),
        ({"kind": "mask"}, np.zeros((8, 12), np.uint8), r"f/3\.png: its mask covers nothing"),
        ({"kind": "mask"}, np.arange(96, dtype=np.uint8).reshape(8, 12), r"f/3\.png: its mask has gray .*threshold: 1"),
        ({"kind": "mask"}, np.eye(9, dtype=np.uint8), r"f/3\.png: it is 9×9, and its image 003\.png 12×8; give both"),
        ({"kind": "mask"}, np.zeros((8, 12, 3), np.uint8), r"f/3\.png: its pixels are RGB, .*Save it as a PNG in gray"),
        ({"kind": "label_map", "labels": 2}, np.full((8, 12), 7, np.uint8), r"f/3\.png: it holds the number 7, and th"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_field_is_named(
    tmp_path: Path, source: Build, folder: dict[str, Any], pixels: np.ndarray, message: str
) -> None:
    for n, _ in enumerate(pictures(tmp_path)):
        save(tmp_path / f"f/{n}.png", pixels if n == 3 else np.eye(8, 12, dtype=np.uint8))
    found = source("paired_folders", path="x", fields={"f": {"path": "f", **folder}})
    with pytest.raises(DataError, match=message):
        made(tmp_path, found)
    assert made(tmp_path, found, skip_broken=True).broken_images == 1


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.arange(300, dtype=np.uint16).reshape(15, 20), "300 different numbers up to 299; labels run from 0 to 255"),
        (np.arange(100, dtype=np.uint8).reshape(10, 10), "100 different numbers, .* it is a photograph, no label map"),
        (np.eye(10, dtype=np.uint8) * np.uint8(255), "0 and 255 alone, so they are masks: write `kind: mask`"),
    ],
)
def test_what_is_no_label_map_is_refused(tmp_path: Path, source: Build, pixels: np.ndarray, message: str) -> None:
    save(tmp_path / "x/0.png", np.zeros((4, 4), np.uint8))
    save(tmp_path / "f/0.png", pixels)
    with pytest.raises(DataError, match=message):
        _ = source("paired_folders", path="x", fields={"f": {"path": "f", "kind": "label_map"}}).fields


def test_missing_partners_are_listed_on_either_side(tmp_path: Path, source: Build) -> None:
    pictures(tmp_path, 3)
    for n in (0, 1, 7):
        save(tmp_path / f"f/{n}.png", np.eye(8, dtype=np.uint8))
    found = source("paired_folders", path="x", fields={"f": {"path": "f", "kind": "image"}})
    assert found.watched_paths == ("x", "f")
    with pytest.raises(DataError, match=r"Without are 002\.png of x and 7\.png of f"):
        found.collection(0).read(np.arange(3)).__next__()  # type: ignore[attr-defined]


def test_numbers_are_read_as_they_were_written() -> None:
    for pixels in (np.arange(256, dtype=np.uint8).reshape(16, 16), np.arange(999, dtype=np.uint16).reshape(27, 37)):
        file = BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        np.testing.assert_array_equal(numbers(file.getvalue()), pixels)
    file = BytesIO()
    Image.new("L", (4, 4)).save(file, "JPEG")
    with pytest.raises(Broken, match="a JPEG does not keep numbers exactly"):
        numbers(file.getvalue())


def test_domains_are_told_apart_and_held_out_alike(tmp_path: Path, source: Build) -> None:
    for n in range(20):
        save(tmp_path / f"a/{n}.png", np.full((8, 8), 10 + n, np.uint8))
        save(tmp_path / f"b/{n}.png", np.full((8, 8), 110 + n, np.uint8))
    prepared = made(tmp_path, source("unpaired_folders", folders={"photo": "a", "painting": "b"}, test_images=4))
    for split, count in (("train", 18), ("test", 2)):
        np.testing.assert_array_equal(prepared.field(split, "domain"), prepared.images(split)[:, 0, 0, 0] >= 110)
        assert np.bincount(prepared.field(split, "domain")).tolist() == [count, count] if split == "test" else True
    with pytest.raises(ValidationError, match="two domains have one folder"):
        source("unpaired_folders", folders={"photo": "a", "painting": "a"})


def test_letters_lie_whole_on_paper_and_pairs_in_one_place(source: Build) -> None:
    found = source("glyphs", images=260, test_images=26, domains=["serif", "sans"])
    (first, *_) = found.collection(0).read(np.arange(260))
    for images in (first.images, np.asarray(first.fields["source"])):
        edge = np.concatenate([images[:, [0, -1]].ravel(), images[:, :, [0, -1]].ravel()])
        assert (edge == 255).all(), "no letter is cut"
        assert ((images < 128).mean((1, 2, 3)) > 0.02).all()
    attributes, domain = np.asarray(first.fields["attributes"]), np.asarray(first.fields["domain"])
    np.testing.assert_array_equal(attributes[:, 2], domain == 0)
    same = np.asarray(first.fields["face"]) == 0
    np.testing.assert_array_equal(first.images[same], np.asarray(first.fields["source"])[same])
    assert same.any()
    (again, *_) = found.collection(0).read(np.arange(50, 60))
    np.testing.assert_array_equal(again.images, first.images[50:60])
    with pytest.raises(ValidationError, match="some faces are both bold and italic"):
        source("glyphs", domains=["bold", "italic"])
