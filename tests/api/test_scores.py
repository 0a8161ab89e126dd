"""Scores of what a notebook has, and the leaderboard."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import genpipe
from genpipe import paths
from genpipe.errors import UnknownName, UsageError
from genpipe.reading import Reading
from genpipe.reporting.leaderboard import rows
from genpipe.scoring import score_words

A, B = (np.random.default_rng(k).integers(0, high, (60, 8, 8), dtype=np.uint8) for k, high in ((0, 256), (1, 200)))


def test_arrays_tensors_and_folders_score_as_the_command_does(tmp_path: Path) -> None:
    for name, images in (("a", A), ("b", B)):
        (tmp_path / name).mkdir()
        for number, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / name / f"{number:02}.png")
    a, b = tmp_path / "a", tmp_path / "b"
    command = score_words((str(a), str(b)), ["fid", "kid"], "pixels", Reading(), seed=0)
    for sides in ((A, B), (torch.from_numpy(A), genpipe.images(B)), (a, str(b)), (A / 255, b)):
        found = genpipe.score(*sides, metrics=("fid", "kid"), features="pixels")
        assert found.index.tolist() == ["fid_pixels", "kid_pixels"]
        for name in found.index:
            assert found.value[name] == pytest.approx(command[name]["value"], rel=1e-9)
            assert (found.low[name], found.high[name]) == pytest.approx(command[name]["interval"], rel=1e-9)
        assert set(found.fake_images) == {60}
        assert set(found.extractor) == {"pixels"}


def test_names_of_the_project_are_strings(here: Path) -> None:
    found = genpipe.score("vae", "tiny", "fid", f"classifier:{paths.reference('tiny')}/classifier")
    assert found.value["fid_classifier"] == pytest.approx(genpipe.open("vae").scores.value["fid_classifier"], rel=1e-4)
    with pytest.raises(UnknownName, match=r"no data set, experiment or path is called 'tinny'.*Did you mean 'tiny'"):
        genpipe.score("vae", "tinny")


def test_what_does_not_compare_is_said_with_the_arguments_that_help() -> None:
    with pytest.raises(UsageError, match=r"images and real have images of 1×8×8 and 1×4×4.*; give size=8 or 4\."):
        genpipe.score(A, B[:, :4, :4], "fid", "pixels")
    assert len(genpipe.score(A, B[:, :4, :4], "fid", "pixels", size=4)) == 1
    with pytest.raises(UnknownName, match="Did you mean 'fid'"):
        genpipe.score(A, B, "fdi", "pixels")
    with pytest.raises(UsageError, match="metrics is empty"):
        genpipe.score(A, B, [], "pixels")
    with pytest.raises(UsageError, match="asks for held-out real images, and real has none"):
        genpipe.score(A, B, "memorisation", "pixels")


def test_the_leaderboard_is_that_of_the_report(here: Path) -> None:
    board = genpipe.leaderboard()
    assert board.experiment.tolist() == ["real-held-out", "vae"]
    assert board.columns.tolist() == list(rows(here)[0])
    assert board.fid_classifier[1] == genpipe.open("vae").scores.value["fid_classifier"]
    assert genpipe.leaderboard(here / "runs").equals(board)


def test_without_a_project_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no genpipe project"):
        genpipe.leaderboard()
