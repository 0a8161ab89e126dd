"""Scores of any two sets of images from a shell."""

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from genpipe import config, paths
from genpipe.cli.app import app
from genpipe.data._preparing import prepare
from genpipe.errors import DataError, GenpipeError, UnknownName, UsageError
from genpipe.metrics import fid
from genpipe.reading import Reading
from genpipe.sampling import Samples, save_samples
from genpipe.scoring import score_words
from genpipe.teaching import make_references


def score(fake: str, real: str, metrics: list[str], features: str, **reading: Any) -> dict[str, Any]:
    return score_words((fake, real), metrics, features, Reading(**reading), seed=0)


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, np.ndarray]:
    """Two sets of 8×8 grey images, each as a folder of PNG and as an array, beside the current folder."""
    rng = np.random.default_rng(0)
    sets = {name: rng.integers(0, high, (60, 8, 8), dtype=np.uint8) for name, high in (("a", 256), ("b", 200))}
    for name, images in sets.items():
        (tmp_path / name).mkdir()
        for number, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / name / f"{number:03}.png")
        np.save(tmp_path / f"{name}.npy", images)
    return sets


def expected(sets: dict[str, np.ndarray]) -> float:
    a, b = (fid.statistics(images.reshape(len(images), -1).astype(np.float32) / 255) for images in sets.values())
    return fid.distance(a, b)


@pytest.mark.parametrize(("left", "right"), [("a", "b"), ("a.npy", "b.npy"), ("a", "b.npy")])
def test_folders_and_arrays_score_alike(pictures: dict[str, np.ndarray], tmp_path: Path, left: str, right: str) -> None:
    sets = [str(tmp_path / name) for name in (left, right)]
    made = score(*sets, ["fid"], "pixels")["fid_pixels"]
    assert made["value"] == pytest.approx(expected(pictures), rel=1e-6)
    assert (made["fake_images"], made["training_images"], made["extractor"]) == (60, 60, "pixels")
    assert "real" not in made, "there is no floor where no image is held out"


def test_a_data_set_has_a_floor_and_its_own_classifier(
    project: Path, pictures: dict[str, np.ndarray], tmp_path: Path
) -> None:
    opened = config.load()
    prepare(opened.data("tiny").opened, size=8, fit="crop", seed=0, folder=tmp_path / "data" / "tiny")
    make_references(opened, "tiny")
    classifier = f"classifier:{tmp_path / 'runs/reference/tiny/classifier'}"
    made = score(str(tmp_path / "a"), "tiny", ["fid", "memorisation"], classifier)
    assert made["fid_classifier"]["real"] < made["fid_classifier"]["value"]
    assert len(made["fid_classifier"]["weights_sha256"]) == 64
    assert 0 <= made["memorisation_pixels"]["value"] <= 1


def test_pairs_of_an_experiment_are_its_reconstructions_and_the_held_out_images(project: Path) -> None:
    opened = config.load()
    prepared = prepare(opened.data("tiny").opened, size=8, fit="crop", seed=0, folder=project / paths.data("tiny"))
    samples = Samples(prepared.images("train")[:30], rebuilt=prepared.images("test"))
    save_samples(samples, project / paths.samples("first"))
    made = score("first", "tiny", ["perceptual_distance"], "pixels")
    assert made["perceptual_distance_pixels"]["value"] == 0
    assert made["perceptual_distance_pixels"]["pairs"] == "by row"


@pytest.mark.parametrize(
    ("left", "right", "metrics", "features", "error", "said"),
    [
        ("nowhere", "b", ["fid"], "pixels", UnknownName, "data set, experiment or path"),
        ("a", "b", ["fdi"], "pixels", UnknownName, "Did you mean 'fid'"),
        ("a", "b", ["fid"], "pixel", UnknownName, "Did you mean 'pixels'"),
        ("a", "b", ["memorisation"], "pixels", UsageError, "asks for held-out real images, and .*b has none"),
        ("a", "b", ["fid"], "classifier", UsageError, "say which: classifier:runs/reference/DATA/classifier"),
        ("a", "b", ["fid"], "classifier:a", GenpipeError, "holds no extractor"),
    ],
)
def test_what_cannot_be_scored_is_said(
    pictures: dict[str, np.ndarray],
    tmp_path: Path,
    left: str,
    right: str,
    metrics: list[str],
    features: str,
    error: type[GenpipeError],
    said: str,
) -> None:
    with pytest.raises(error, match=said):
        score(str(tmp_path / left), str(tmp_path / right), metrics, features)


def test_sizes_that_differ_want_a_size(pictures: dict[str, np.ndarray], tmp_path: Path) -> None:
    np.save(tmp_path / "large.npy", np.zeros((20, 16, 16), np.uint8))
    sets = [str(tmp_path / "a"), str(tmp_path / "large.npy")]
    with pytest.raises(UsageError, match=r"1×8×8 and 1×16×16.*; give --size 8 or 16\."):
        score(*sets, ["fid"], "pixels")
    assert "fid_pixels" in score(*sets, ["fid"], "pixels", size=8)


@pytest.fixture
def sixteen(tmp_path: Path) -> np.ndarray:
    """Twelve pictures as a folder "p", as "p.tar" in another order and below a folder, as "padded", and as an array."""
    images = np.random.default_rng(1).integers(0, 256, (12, 16, 16), dtype=np.uint8)
    for name in ("p", "padded"):
        (tmp_path / name).mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "p" / f"{number}.png")
        Image.fromarray(image).save(tmp_path / "padded" / f"{number:03}.bmp")
    with tarfile.open(tmp_path / "p.tar", "w") as tar:
        for number in np.random.default_rng(0).permutation(12):
            tar.add(tmp_path / "p" / f"{number}.png", f"A/{number}.png")
    np.save(tmp_path / "p.npy", images)
    np.save(tmp_path / "few.npy", images[:7])
    return images


@pytest.mark.parametrize(("left", "how"), [("p.tar", "by name"), ("padded", "by name"), ("p.npy", "natural order")])
@pytest.mark.parametrize("turned", [False, True])
def test_pairs_are_of_one_name_whatever_the_order(
    sixteen: np.ndarray, tmp_path: Path, left: str, how: str, turned: bool
) -> None:
    sets = [str(tmp_path / name) for name in (left, "p")][:: -1 if turned else 1]
    found = score(*sets, ["ssim", "perceptual_distance", "fid"], "pixels")
    values = {name: found[name]["value"] for name in ("ssim_pixels", "ms_ssim_pixels", "perceptual_distance_pixels")}
    assert values == pytest.approx({"ssim_pixels": 1, "ms_ssim_pixels": 1, "perceptual_distance_pixels": 0})
    assert how in found["ssim_pixels"]["pairs"]
    assert "pairs" not in found["fid_pixels"]


def test_what_makes_no_pairs_is_one_error(sixteen: np.ndarray, pictures: dict[str, np.ndarray], tmp_path: Path) -> None:
    for left, said in (
        ("few.npy", "few.npy has 7 images"),
        ("a", "Alone are 012.png, 013.png, 014.png, 015.png, 016.png and 43 more of .*a"),
    ):
        with pytest.raises(UsageError, match=said):
            score(str(tmp_path / left), str(tmp_path / "p"), ["ssim"], "pixels", size=16)


@pytest.mark.parametrize(
    ("metric", "images", "said"),
    [
        ("fid", 1, "fid gives no score: it needs 2 samples, and there is 1"),
        ("precision_recall", 4, "it needs 6 samples, and there are 4"),
        ("fid_infinity", 60, "it needs four samples for each number of the extractor's features"),
        ("inception_score", 60, "inception_score gives no score: no extractor gives class probabilities"),
        ("psnr", 60, "psnr gives no score: all pairs are the same"),
    ],
)
def test_a_metric_that_gives_nothing_says_why(
    pictures: dict[str, np.ndarray], tmp_path: Path, metric: str, images: int, said: str
) -> None:
    np.save(tmp_path / "some.npy", pictures["a"][:images])
    with pytest.raises(UsageError, match=said):
        score(str(tmp_path / "some.npy"), str(tmp_path / "a.npy"), [metric], "pixels")


def test_blanks_around_commas_are_no_part_of_a_name(
    pictures: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["score", "a", "b", "-m", " fid , kid,", "-f", "pixels"])
    assert shown.exit_code == 0, shown.output
    assert "kid_pixels" in shown.output
    assert isinstance(CliRunner().invoke(app, ["score", "a", "b", "-m", " , ", "-f", "pixels"]).exception, UsageError)


def test_images_whose_black_and_white_are_not_certain_are_refused_with_what_to_do(
    pictures: dict[str, np.ndarray], tmp_path: Path
) -> None:
    np.save(tmp_path / "deep.npy", pictures["a"].astype(np.uint16))
    with pytest.raises(DataError, match=r"deep\.npy: images of uint16 .*or save the images as uint8 from 0 to 255"):
        score(str(tmp_path / "deep.npy"), str(tmp_path / "b"), ["fid"], "pixels")


def test_the_command(pictures: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["score", "a", "b.npy", "--metrics", "fid", "--features", "pixels"]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0, shown.output
    assert "fid_pixels" in shown.output
    made = json.loads(CliRunner().invoke(app, [*words, "--json"]).output)
    assert made["fid_pixels"]["value"] == pytest.approx(expected(pictures), rel=1e-6)


def scored(*sets: Path, **knobs: Any) -> dict[str, Any]:
    """The FID of pixels of two paths."""
    return score(*map(str, sets), ["fid"], "pixels", **knobs)["fid_pixels"]


def saved(path: Path, size: int, colour: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size, size, 3) if colour else (size, size)
    seed = sum(path.name.encode())
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(path)


@pytest.mark.parametrize("first", ["00.png", "99.png"])
def test_pictures_of_several_sizes_want_a_size(first: str, pictures: dict[str, np.ndarray], tmp_path: Path) -> None:
    saved(tmp_path / "c" / first, 16)
    for number in range(1, 20):
        saved(tmp_path / "c" / f"{number:02}.png", 64)
    said = rf"of the first 20 there are 19 of 64×64 pixels \(such as 01.png\), 1 of 16×16 pixels \(such as {first}\)"
    with pytest.raises(UsageError, match=f"{said}.*--size"):
        scored(tmp_path / "c", tmp_path / "b")
    assert scored(tmp_path / "c", tmp_path / "b", size=8)["fake_images"] == 20


def test_grey_and_colour_want_channels_whatever_the_size(pictures: dict[str, np.ndarray], tmp_path: Path) -> None:
    for number in range(20):
        saved(tmp_path / "c" / f"{number}.png", 8, colour=True)
    with pytest.raises(UsageError, match=r"1×8×8 and 3×8×8.*; give --channels 1 or 3\."):
        scored(tmp_path / "a", tmp_path / "c", size=8)
    assert scored(tmp_path / "a", tmp_path / "c", channels=1)["fake_images"] == 60
    saved(tmp_path / "c" / "grey.png", 8)
    shutil.make_archive(str(tmp_path / "c"), "tar", tmp_path / "c")
    with pytest.raises(
        DataError, match=r"1 of the pictures are grey \(such as grey.png\) and 20 in colour.*--channels"
    ):
        scored(tmp_path / "a", tmp_path / "c")
    both = [scored(tmp_path / "a", tmp_path / name, channels=3)["value"] for name in ("c", "c.tar")]
    assert both[0] == pytest.approx(both[1])


def test_what_a_data_set_has_is_what_the_other_side_is_to_be_made(
    project: Path, pictures: dict[str, np.ndarray], tmp_path: Path
) -> None:
    opened = config.load()
    prepare(opened.data("tiny").opened, size=8, fit="crop", seed=0, folder=tmp_path / "data" / "tiny")
    saved(tmp_path / "c" / "1.png", 16, colour=True)
    with pytest.raises(UsageError, match=r"3×16×16 and 1×8×8.*; give --channels 1 and --size 8\."):
        scored(tmp_path / "c", Path("tiny"))


def test_no_folder_is_a_class_or_a_split(pictures: dict[str, np.ndarray], tmp_path: Path) -> None:
    for number in range(60):
        folder = ("", "cat", "test", "train", "val")[number % 5]
        target = tmp_path / "c" / folder / f"{number:03}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / "a" / f"{number:03}.png", target)
    made = scored(tmp_path / "c", tmp_path / "b")
    assert (made["fake_images"], made["value"]) == (60, pytest.approx(expected(pictures), rel=1e-6))


def test_broken_pictures_are_left_out_on_request(pictures: dict[str, np.ndarray], tmp_path: Path) -> None:
    (tmp_path / "a" / "000.png").write_bytes(b"broken")
    Image.new("L", (1, 1_500_000)).save(tmp_path / "a" / "001.png")
    with pytest.raises(DataError, match=r"000\.png cannot be read: .*--skip-broken"):
        scored(tmp_path / "a", tmp_path / "b")
    told: list[str] = []
    assert scored(tmp_path / "a", tmp_path / "b", skip_broken=True, told=told.append)["fake_images"] == 58
    (line,) = told
    assert line.startswith("left out 2 of 60 pictures: 000.png: not a picture")
    for file in (tmp_path / "a").iterdir():
        file.write_bytes(b"broken")
    with pytest.raises(DataError, match="none of the pictures can be read"):
        scored(tmp_path / "a", tmp_path / "b", skip_broken=True)


def test_an_array_of_long_images_is_refused(pictures: dict[str, np.ndarray], tmp_path: Path) -> None:
    np.save(tmp_path / "long.npy", np.zeros((3, 1, 1_500_000, 1), np.uint8))
    with pytest.raises(DataError, match="one side is more than 50 times the other"):
        scored(tmp_path / "long.npy", tmp_path / "b", size=8)


def test_a_metric_that_gives_nothing_takes_no_other_with_it(pictures: dict[str, np.ndarray], tmp_path: Path) -> None:
    sets = [str(tmp_path / "a.npy")] * 2
    with pytest.warns(UserWarning, match="psnr gives no score: all pairs are the same"):
        found = score(*sets, ["fid", "psnr"], "pixels")
    assert found["fid_pixels"]["value"] == pytest.approx(0, abs=1e-6)
