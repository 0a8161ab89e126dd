"""Pictures made of pictures from a shell: one file each, and no file of a person's lost."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genpipe import registry
from genpipe.cli import main
from genpipe.dataset.fitting import fitted
from tests._picture_models import SIDE
from tests.cli.conftest import Outcome

Run = Callable[..., Any]


@pytest.fixture
def genpipe(
    picture_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """The command line, run in a copy of the project of models whose images are known."""
    shutil.copytree(picture_models, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> Outcome:
        monkeypatch.setattr("sys.argv", ["genpipe", *words])
        return Outcome(main.run(), *capsys.readouterr())

    return run


def save(path: str, pixels: np.ndarray, mode: str | None = None) -> np.ndarray:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path)
    return pixels


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def picture(path: str) -> np.ndarray:
    return np.asarray(Image.open(path))


def made_gray(pixels: np.ndarray) -> np.ndarray:
    """A gray picture in the size of the data set, by its own rule."""
    return fitted(pixels[None, ..., None], SIDE, "crop")[0, ..., 0]


def test_each_picture_becomes_one_of_its_name(genpipe: Run) -> None:
    edges = {name: save(f"in/{name}.png", noise(SIDE, SIDE, seed=n)) for n, name in enumerate(("b", "a", "sub/c"))}
    wide = save("wide.png", noise(20, 31))
    assert genpipe("translate", "pix", "in", "wide.png", "--out", "out").out == "Wrote 4 pictures to out.\n"
    for name, pixels in edges.items():
        np.testing.assert_array_equal(picture(f"out/{name}.png"), pixels)
    np.testing.assert_array_equal(picture("out/wide.png"), made_gray(wide), "as images are made for the training")
    assert not list(Path("out").rglob("*.tmp"))


def test_originals_are_derived_from_as_in_the_data_set(genpipe: Run) -> None:
    original = save("x.png", noise(30, 24))
    assert genpipe("translate", "pix", "x.png", "--derive", "-o", "out").status == 0
    edges = registry.load("derivations", "edges")
    from genpipe.interfaces.spec import DataSpec

    expected = edges(edges.Config(), DataSpec(1, SIDE, SIDE)).rows(made_gray(original)[None, None], [])
    np.testing.assert_array_equal(picture("out/x.png"), expected[0, 0])


def test_draws_have_numbers_and_the_seed_decides_them(genpipe: Run) -> None:
    pixels = save("x.png", np.full((SIDE, SIDE), 128, np.uint8))
    for out, more in (("a", ()), ("b", ()), ("c", ("--seed", "1")), ("d", ("--set", "amount=0.0"))):
        assert genpipe("translate", "noisy", "x.png", "-o", out, "--draws", "2", *more).status == 0
    a, b, c, d = ([picture(f"{out}/x-{k}.png") for k in (1, 2)] for out in "abcd")
    assert (a[0] != a[1]).any()
    np.testing.assert_array_equal(a, b)
    assert (a[0] != c[0]).any()
    np.testing.assert_array_equal(d, [pixels, pixels])
    assert sorted(path.name for path in Path("a").iterdir()) == ["x-1.png", "x-2.png"]


def test_label_maps_are_numbers_and_color_is_made_of_gray(genpipe: Run) -> None:
    labels = np.arange(SIDE * SIDE, dtype=np.uint8).reshape(SIDE, SIDE) % 5
    save("map.png", labels)
    assert genpipe("translate", "maps", "map.png", "-o", "out").status == 0
    levels = np.rint(labels / 4 * 255).astype(np.uint8)
    np.testing.assert_array_equal(picture("out/map.png"), np.repeat(levels[..., None], 3, 2))
    gray = save("gray.png", noise(SIDE, SIDE))
    save("rgb.png", np.repeat(gray[..., None], 3, 2))
    assert genpipe("translate", "tinted", "gray.png", "rgb.png", "-o", "out").status == 0
    np.testing.assert_array_equal(picture("out/gray.png")[..., 0], gray)
    np.testing.assert_array_equal(picture("out/rgb.png"), picture("out/gray.png"), "gray in three channels is gray")


def test_the_direction_is_an_option(genpipe: Run) -> None:
    pixels = save("x.png", noise(SIDE, SIDE))
    for option, expected in (((), 255 - pixels), (("--set", "to=0"), 0 * pixels)):
        assert genpipe("translate", "other", "x.png", "-o", "out", "--force", *option).status == 0
        np.testing.assert_array_equal(picture("out/x.png"), expected)


def test_small_pictures_are_enlarged_and_large_ones_made_small_on_request(genpipe: Run) -> None:
    small = save("small.png", noise(8, 8))
    assert genpipe("upscale", "sr", "small.png", "-o", "out").status == 0
    np.testing.assert_array_equal(picture("out/small.png"), small.repeat(2, 0).repeat(2, 1))
    large = save("large.png", noise(SIDE, SIDE))
    done = genpipe("upscale", "sr", "large.png", "-o", "out")
    assert "large.png has 16×16 pixels (height×width), and sr takes pictures of 8×8" in done.err
    assert genpipe("upscale", "sr", "large.png", "--derive", "-o", "out").status == 0
    shrunk = np.asarray(Image.fromarray(large).resize((8, 8), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(picture("out/large.png"), shrunk.repeat(2, 0).repeat(2, 1))
    assert "pix translates 'edges', which is no smaller" in genpipe("upscale", "pix", "small.png", "-o", "o").err


def test_holes_are_filled_where_the_mask_of_the_name_is_white(genpipe: Run) -> None:
    x, masks = noise(3, 20, 28) // 2, np.zeros((3, 20, 28), np.uint8)
    for n in range(3):
        masks[n, 8:12, 6 + 2 * n : 12 + 2 * n] = 1 if n == 1 else 255
        save(f"in/{n:03}.png", x[n])
        save(f"masks/{n}.png", masks[n])
    assert genpipe("inpaint", "filler", "in", "--masks", "masks", "-o", "out").status == 0
    for n in range(3):
        hole = fitted(masks[n][None, ..., None] > 0, SIDE, "crop", nearest=True)[0, ..., 0]
        np.testing.assert_array_equal(picture(f"out/{n:03}.png"), np.where(hole, 255, made_gray(x[n])))
    assert genpipe("inpaint", "filler", "in/001.png", "--masks", "masks", "-o", "one").status == 0
    np.testing.assert_array_equal(picture("one/001.png"), picture("out/001.png"), "other masks are left over")
    assert genpipe("inpaint", "filler", "in", "--masks", "masks/0.png", "-o", "all").status == 0
    np.testing.assert_array_equal(picture("all/000.png"), picture("out/000.png"))
    np.testing.assert_array_equal(picture("all/002.png") == 255, picture("out/000.png") == 255)


def test_holes_are_made_as_in_the_data_set_and_by_the_seed(genpipe: Run) -> None:
    save("x.png", np.full((SIDE, SIDE), 100, np.uint8))
    for out, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        assert genpipe("inpaint", "filler", "x.png", "--derive", "--seed", seed, "-o", out).status == 0
    a, b, c = (picture(f"{out}/x.png") for out in "abc")
    assert set(np.unique(a)) == {100, 255}
    assert 0.1 <= (a == 255).mean() <= 0.4
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_gray_masks_need_a_threshold(genpipe: Run) -> None:
    save("x.png", np.full((SIDE, SIDE), 100, np.uint8))
    save("mask.png", np.full((SIDE, SIDE), 90, np.uint8) + (np.eye(SIDE, dtype=np.uint8) * 60))
    told = genpipe("inpaint", "filler", "x.png", "--masks", "mask.png", "-o", "out").err
    assert "its mask has gray levels" in told
    assert "--threshold" in told
    assert genpipe("inpaint", "filler", "x.png", "--masks", "mask.png", "-o", "out", "--threshold", "128").status == 0
    np.testing.assert_array_equal(picture("out/x.png") == 255, np.eye(SIDE) > 0)


def test_attributes_that_are_not_set_stay(genpipe: Run) -> None:
    pixels = np.full((SIDE, SIDE), 100, np.uint8)
    pixels[0, :3] = [255, 0, 255]
    save("x.png", pixels)
    assert genpipe("edit", "editor", "x.png", "--set", "italic=true", "--set", "bold=false", "-o", "out").status == 0
    expected = pixels.copy()
    expected[0, :3] = [0, 255, 255]
    np.testing.assert_array_equal(picture("out/x.png"), expected)


def test_colors_are_made_gray_and_told(genpipe: Run) -> None:
    color = save("x.png", noise(SIDE, SIDE, 3))
    done = genpipe("translate", "other", "x.png", "-o", "out")
    assert done.err == "colors are made gray, for other is trained on gray images.\n"
    gray = np.asarray(Image.fromarray(color).convert("L")).astype(int)
    np.testing.assert_array_equal(picture("out/x.png"), 255 - gray)


def test_broken_pictures_are_named_and_left_out_on_request(genpipe: Run) -> None:
    save("in/1.png", noise(SIDE, SIDE))
    Path("in/0.png").write_text("no picture")
    done = genpipe("translate", "pix", "in", "-o", "out")
    assert (done.status, "0.png cannot be read: not a picture" in done.err) == (1, True)
    done = genpipe("translate", "pix", "in", "-o", "out", "--skip-broken")
    assert (done.status, "left out 1 of 2 pictures: 0.png" in done.err) == (0, True)
    assert [path.name for path in Path("out").iterdir()] == ["1.png"]


def test_no_picture_is_replaced_unasked(genpipe: Run) -> None:
    save("in/a.png", noise(SIDE, SIDE))
    save("in/b.png", noise(SIDE, SIDE, seed=1))
    mine = save("out/a.png", noise(3, 3, seed=2))
    save("out/mine.png", mine)
    done = genpipe("translate", "pix", "in", "-o", "out")
    assert (done.status, "out/a.png exists" in done.err, "--force" in done.err) == (1, True, True)
    np.testing.assert_array_equal(picture("out/a.png"), mine)
    assert not Path("out/b.png").exists()
    assert "in/a.png exists, as do 1 more" in genpipe("translate", "pix", "in", "-o", "in").err
    assert genpipe("translate", "pix", "in", "-o", "out", "--force").status == 0
    np.testing.assert_array_equal(picture("out/a.png"), picture("in/a.png"))
    np.testing.assert_array_equal(picture("out/mine.png"), mine)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["translate", "pxi", "x.png"], "Did you mean 'pix'?"),
        (["translate", "filler", "x.png"], "filler is a filler, which translates nothing. Models that do: "),
        (["inpaint", "pix", "x.png", "--derive"], "which inpaints nothing. Models that do: filler"),
        (["edit", "pix", "x.png"], "which edits nothing. Models that do: editor"),
        (
            ["translate", "pix", "color.png"],
            "has colors, and 'edges', of which pix makes images, is gray. Give gray pi",
        ),
        (["translate", "pix", "color.png"], "with --derive"),
        (["translate", "maps", "map.png"], "map.png cannot be read: it holds the number 9, and the labels are 0 to 4"),
        (["translate", "maps", "color.png"], "its pixels are RGB, and which number a color stands for is unknown"),
        (["translate", "maps", "x.png", "--derive"], "for maps there is `derive` of grayscale. Leave out --derive"),
        (["translate", "other", "x.png", "--derive"], "Leave out --derive"),
        (["translate", "pix", "x.png", "--draws", "2"], "Echo has no noise and makes one"),
        (["translate", "noisy", "x.png", "--set", "amuont=1"], "is no option of sampling; the model has amount"),
        (["translate", "noisy", "x.png", "--set", "amount=a"], "`amount` is 'a'"),
        (["translate", "pix", "none.png"], "none.png does not exist; give a picture"),
        (["translate", "pix", "x.npy"], "x.npy is neither; give a picture"),
        (["translate", "pix", "empty"], "empty holds no pictures"),
        (["translate", "pix", "x.png", "x.gif"], "x.png and x.gif would both be written to out/x.png"),
        (["translate", "pix", "x.png", "-o", "x.npy"], "x.npy is no folder"),
        (["inpaint", "filler", "x.png"], "filler needs 'holes' of each picture: give --masks, or --derive"),
        (["inpaint", "filler", "x.png", "--derive", "--masks", "m"], "give either --masks, or --derive"),
        (["inpaint", "filler", "x.png", "y.png", "--masks", "m"], "Without are y.png. Rename or add masks"),
        (["inpaint", "filler", "x.png", "--masks", "all.png"], "its mask covers all"),
        (["inpaint", "filler", "x.png", "--masks", "none/x.png"], "its mask covers nothing"),
        (["inpaint", "filler", "wide.png", "--masks", "cut.png"], "the mask of wide.png covers nothing of the part"),
        (["inpaint", "filler", "x.png", "--masks", "cut.png"], "it is 48×16, and its image x.png 16×16"),
        (["edit", "editor", "x.png"], "no attribute is to be changed; give values of some: bold, italic, serif"),
        (["edit", "editor", "x.png", "--set", "blod=true"], "Did you mean 'bold'? Available: bold, italic, serif"),
        (["edit", "editor", "x.png", "--set", "bold=very"], "the attribute 'bold' is 'very'; it may be true or false"),
    ],
)
def test_what_cannot_be_is_said(genpipe: Run, words: list[str], said: str) -> None:
    for name in ("x.png", "y.png", "x.gif", "m/x.png"):
        save(name, np.eye(SIDE, dtype=np.uint8) * 255)
    save("color.png", noise(SIDE, SIDE, 3))
    save("map.png", np.full((SIDE, SIDE), 9, np.uint8))
    save("all.png", np.full((SIDE, SIDE), 255, np.uint8))
    save("none/x.png", np.zeros((SIDE, SIDE), np.uint8))
    save("wide.png", noise(SIDE, 3 * SIDE))
    save("cut.png", np.eye(SIDE, 3 * SIDE, dtype=np.uint8))
    np.save("x.npy", np.zeros(3))
    Path("empty").mkdir()
    done = genpipe(*words, *([] if "-o" in words else ["-o", "out"]))
    assert done.status in (1, 2)
    assert said in done.err
    assert "Traceback" not in done.err
    assert not Path("out").exists()
