"""Pictures made of pictures in a notebook: of arrays, pictures and folders, as the commands make them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import genpipe
from genpipe import paths
from genpipe.errors import GenpipeError, UsageError
from tests._picture_models import SIDE


@pytest.fixture
def there(picture_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project of models whose images are known, which is the current folder."""
    shutil.copytree(picture_models, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_arrays_pictures_and_folders_are_translated_alike(there: Path) -> None:
    pix, given = genpipe.open("pix"), noise(3, SIDE, SIDE)
    Path("in").mkdir()
    for number, image in enumerate(given):
        Image.fromarray(image).save(f"in/{number}.png")
    pictures = [Image.fromarray(image) for image in given]
    for what in (given, given[..., None], given / np.float32(255), pictures, "in", Path("in")):
        made = pix.translate(what)
        assert isinstance(made, genpipe.Images)
        np.testing.assert_array_equal(made[..., 0], given)
    np.testing.assert_array_equal(pix.translate(pictures[0])[..., 0], given[:1])
    large = given.repeat(2, 1).repeat(2, 2)
    np.testing.assert_array_equal(pix.translate(large), pix.translate(genpipe.images(large, size=SIDE)))


def test_draws_follow_each_other_and_options_are_those_of_sampling(there: Path) -> None:
    noisy, given = genpipe.open("noisy"), noise(2, SIDE, SIDE)
    made = noisy.translate(given, draws=3, seed=4)
    assert made.shape == (6, SIDE, SIDE, 1)
    np.testing.assert_array_equal(made, noisy.translate(given, draws=3, seed=4))
    assert len({image.tobytes() for image in made}) == 6
    np.testing.assert_array_equal(noisy.translate(given, draws=2, amount=0.0)[..., 0], given.repeat(2, 0))
    np.testing.assert_array_equal(genpipe.open("other").translate(given, to=0), np.zeros((2, SIDE, SIDE, 1)))


def test_label_maps_are_whole_numbers(there: Path) -> None:
    labels = np.arange(2 * SIDE * SIDE).reshape(2, SIDE, SIDE) % 5
    expected = np.rint(labels / 4 * 255)
    for given in (labels, labels.astype(np.uint8), [Image.fromarray(one.astype(np.uint8)) for one in labels]):
        np.testing.assert_array_equal(genpipe.open("maps").translate(given)[..., 1], expected)


def test_holes_are_filled_by_arrays_of_masks(there: Path) -> None:
    filler, x, masks = genpipe.open("filler"), noise(2, SIDE, SIDE) // 2, np.zeros((2, SIDE, SIDE), bool)
    masks[0, :3], masks[1, 5:7, 4:9] = True, True
    for given in (masks, masks * 1, masks * np.uint8(255)):
        np.testing.assert_array_equal(filler.inpaint(x, given)[..., 0], np.where(masks, 255, x))
    np.testing.assert_array_equal(filler.inpaint(x, masks * 100 + 50, threshold=60), filler.inpaint(x, masks))
    derived = filler.inpaint(x, derive=True, seed=3)
    assert 0.1 <= (derived == 255).mean() <= 0.4


def test_small_images_are_enlarged_and_attributes_set(there: Path) -> None:
    small = noise(2, 8, 8)
    np.testing.assert_array_equal(genpipe.open("sr").upscale(small)[..., 0], small.repeat(2, 1).repeat(2, 2))
    assert genpipe.open("sr").upscale(noise(1, 40, 30), derive=True).shape == (1, SIDE, SIDE, 1)
    x = np.full((1, SIDE, SIDE), 100, np.uint8)
    made = genpipe.open("editor").edit(x, bold=True, serif=0)
    assert made[0, 0, :4, 0].tolist() == [255, 0, 0, 100]


def test_a_model_in_a_folder_takes_pictures_of_its_size(there: Path) -> None:
    genpipe.open("pix")  # from now on, names mean the files of its project too
    pix = genpipe.open(paths.model("pix"))
    given = noise(1, SIDE, SIDE)
    np.testing.assert_array_equal(pix.translate(given)[..., 0], given)
    with pytest.raises(GenpipeError, match=r"picture 0 has 9×16 pixels.*takes pictures of 16×16"):
        pix.translate(noise(1, 9, SIDE))


@pytest.mark.parametrize(
    ("name", "call", "said"),
    [
        ("pix", lambda m: m.inpaint(noise(1, 8, 8)), "which inpaints nothing. Models that do: .*filler"),
        ("pix", lambda m: m.edit(noise(1, 8, 8)), "which edits nothing. Models that do: .*editor"),
        ("pix", lambda m: m.upscale(noise(1, 8, 8)), "translates 'edges', which is no smaller"),
        ("filler", lambda m: m.translate(noise(1, 8, 8)), "which translates nothing"),
        ("pix", lambda m: m.translate(noise(1, 8, 8, 3)), "picture 0 has colors.*with derive=True"),
        ("pix", lambda m: m.translate("nowhere"), "nowhere does not exist"),
        ("pix", lambda m: m.translate(noise(1, 8, 8), draws=0), "give 1 or more"),
        ("pix", lambda m: m.translate(noise(1, 8, 8), seed=-1), "a seed from 0 to"),
        ("noisy", lambda m: m.translate(noise(1, 8, 8), draws=10_001), "10,001 images, and at most 10,000"),
        ("noisy", lambda m: m.translate(noise(1, 8, 8), amuont=1), "`amuont` is no option"),
        ("filler", lambda m: m.inpaint(noise(1, 8, 8)), "give masks=, or derive=True"),
        ("filler", lambda m: m.inpaint(noise(2, 8, 8), np.eye(8)[None] > 0), "Without are picture 1"),
        (
            "filler",
            lambda m: m.inpaint(noise(1, 8, 8), np.eye(8)[None]),
            r"float64 \[1, 8, 8\] is no array of label maps",
        ),
        ("editor", lambda m: m.edit(noise(1, 8, 8), blod=True), "Did you mean 'bold'"),
    ],
)
def test_what_is_wrong_is_said(there: Path, name: str, call: Callable[[Any], object], said: str) -> None:
    with pytest.raises(GenpipeError, match=said):
        call(genpipe.open(name))


def test_a_model_without_the_capability_names_those_that_have_it() -> None:
    gan = genpipe.build("dcgan", images=np.zeros((4, 16, 16), np.uint8))
    with pytest.raises(UsageError, match=r"translates nothing\. Models that do: .*pix2pix"):
        gan.translate(np.zeros((4, 16, 16), np.uint8))
