"""Scores of any two sets of images from a shell."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from genpipe import config
from genpipe.cli.app import app
from genpipe.data._preparing import prepare
from genpipe.errors import DataError, GenpipeError, UnknownName, UsageError
from genpipe.metrics import fid
from genpipe.scoring import score
from genpipe.teaching import make_references


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
    made = score(*sets, ["fid"], "pixels", size=None, seed=0, project=None)["fid_pixels"]
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
    made = score(str(tmp_path / "a"), "tiny", ["fid", "memorisation"], classifier, size=None, seed=0, project=opened)
    assert made["fid_classifier"]["real"] < made["fid_classifier"]["value"]
    assert len(made["fid_classifier"]["weights_sha256"]) == 64
    assert 0 <= made["memorisation_pixels"]["value"] <= 1


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
        score(str(tmp_path / left), str(tmp_path / right), metrics, features, size=None, seed=0, project=None)


def test_sizes_that_differ_want_a_size(pictures: dict[str, np.ndarray], tmp_path: Path) -> None:
    np.save(tmp_path / "large.npy", np.zeros((20, 16, 16), np.uint8))
    sets = [str(tmp_path / "a"), str(tmp_path / "large.npy")]
    with pytest.raises(UsageError, match="1×8×8 and 1×16×16"):
        score(*sets, ["fid"], "pixels", size=None, seed=0, project=None)
    assert "fid_pixels" in score(*sets, ["fid"], "pixels", size=8, seed=0, project=None)


def test_images_whose_black_and_white_are_not_certain_are_refused_with_what_to_do(
    pictures: dict[str, np.ndarray], tmp_path: Path
) -> None:
    np.save(tmp_path / "deep.npy", pictures["a"].astype(np.uint16))
    with pytest.raises(DataError, match=r"deep\.npy: images of uint16 .*or save the images as uint8 from 0 to 255"):
        score(str(tmp_path / "deep.npy"), str(tmp_path / "b"), ["fid"], "pixels", size=None, seed=0, project=None)


def test_the_command(pictures: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["score", "a", "b.npy", "--metrics", "fid", "--features", "pixels"]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0, shown.output
    assert "fid_pixels" in shown.output
    made = json.loads(CliRunner().invoke(app, [*words, "--json"]).output)
    assert made["fid_pixels"]["value"] == pytest.approx(expected(pictures), rel=1e-6)
