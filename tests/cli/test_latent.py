"""Codes from a shell: what is written is what the model makes of the images that were meant."""

import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from genpipe import config, paths, registry
from genpipe.data._preparing import prepare
from genpipe.data._storage import Prepared
from genpipe.modelfiles import load_model, save_model
from genpipe.nn.pixels import to_model, to_pixels

Run = Callable[..., Any]
SIZE, GAP = 32, 2


@pytest.fixture
def data(genpipe: Run, small_project: Path) -> Prepared:
    """The held-out images of the small project, for which there is an untrained VAE."""
    digits = registry.load("data", "digits")
    source = digits(digits.Config(test_images=360), small_project)
    prepared = prepare(source, size=SIZE, fit="pad", seed=0, folder=small_project / paths.data("mnist5k"))
    save("vae", config.load(), prepared)
    return prepared


def save(system: str, project: config.Project, prepared: Prepared) -> None:
    torch.manual_seed(0)
    kind = registry.load("models", system)
    knobs = project.experiment("vae").model if system == "vae" else kind.Config()
    save_model(kind(knobs, prepared.spec), system, knobs, prepared.spec, project.root / paths.model("vae"))


def model(small_project: Path) -> Any:
    return load_model(small_project / paths.model("vae"))[0]


def codes(small_project: Path, images: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return model(small_project).encode(to_model(torch.from_numpy(np.array(images)))).numpy()


def decoded(small_project: Path, z: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return to_pixels(model(small_project).decode(torch.from_numpy(z.astype(np.float32)))).numpy()


def cells(path: Path, columns: int) -> np.ndarray:
    """The images of a picture [n h w]."""
    picture = np.asarray(Image.open(path))
    step = SIZE + GAP
    every = [
        picture[r : r + SIZE, c : c + SIZE]
        for r in range(GAP, len(picture), step)
        for c in range(GAP, columns * step, step)
    ]
    return np.array(every)


def test_codes_of_images_by_number_or_as_files(genpipe: Run, data: Prepared, small_project: Path) -> None:
    images = data.images("test")
    Image.fromarray(images[3, 0]).save("three.png")
    (small_project / "folder").mkdir()
    for k in (5, 6):
        Image.fromarray(images[k, 0]).save(f"folder/{k}.png")
    np.save("array.npy", images[7:9, 0])
    assert genpipe("encode", "vae", "0-1,9", "three.png", "folder", "array.npy").out == "Wrote codes.npy.\n"
    found = np.load("codes.npy")
    assert found.dtype == np.float32
    assert np.allclose(found, codes(small_project, images[[0, 1, 9, 3, 5, 6, 7, 8]]), atol=1e-5)


def test_folders_are_encoded_whatever_their_layout_and_colours_are_told(
    genpipe: Run, data: Prepared, small_project: Path
) -> None:
    image = Image.fromarray(data.images("test")[3, 0])
    for name in ("loose.png", "train/1.png", "cat/2.png"):
        path = small_project / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
    assert genpipe("encode", "vae", "folder").err == ""
    assert np.load("codes.npy").shape == (3, 8)
    image.convert("RGB").save("folder/cat/2.png")
    done = genpipe("encode", "vae", "folder", "folder/cat/2.png", "--force")
    assert done.err.splitlines() == [
        f"{path}: colours are made grey, for vae is trained on grey images." for path in ("folder", "folder/cat/2.png")
    ]
    assert np.allclose(np.load("codes.npy"), np.load("codes.npy")[:1], atol=1e-5)


def test_broken_pictures_are_left_out_on_request(genpipe: Run, data: Prepared, small_project: Path) -> None:
    (small_project / "folder").mkdir()
    Image.fromarray(data.images("test")[3, 0]).save("folder/1.png")
    Path("folder/0.png").write_text("no picture")
    done = genpipe("encode", "vae", "folder")
    assert (done.status, "0.png cannot be read" in done.err, "--skip-broken" in done.err) == (1, True, True)
    for command, out in (("encode", "codes.npy"), ("reconstruct", "r.npy")):
        done = genpipe(command, "vae", "folder", "--skip-broken", "-o", out)
        assert (done.status, "left out 1 of 2 pictures: 0.png" in done.err) == (0, True)
        assert len(np.load(out)) == 1


def test_a_folder_and_its_archive_give_the_same_rows_and_a_npz_names_them(
    genpipe: Run, data: Prepared, small_project: Path
) -> None:
    images = data.images("test")[:12]
    Path("folder").mkdir()
    for k, image in enumerate(images):
        Image.fromarray(image[0]).save(f"folder/{k}.png")
    with tarfile.open("folder.tar", "w") as tar:
        for k in reversed(range(12)):
            tar.add(f"folder/{k}.png")
    for given in ("folder", "folder.tar"):
        assert genpipe("encode", "vae", given, "0-1", "-o", "codes.npz", "--force").status == 0
        with np.load("codes.npz") as found:
            assert [Path(name).name for name in found["names"]] == [*(f"{k}.png" for k in range(12)), "0", "1"]
            assert np.allclose(found["codes"][:12], codes(small_project, images), atol=1e-5), given
    assert genpipe("decode", "vae", "codes.npz", "-o", "x.npy").status == 0
    assert len(np.load("x.npy")) == 14


def test_decoding_goes_back(genpipe: Run, data: Prepared, small_project: Path) -> None:
    z = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)
    np.save("z.npy", z)
    np.savez("z.npz", codes=z)
    expected = decoded(small_project, z)
    for file in ("z.npy", "z.npz"):
        assert genpipe("decode", "vae", file, "-o", "x.npy", "--force").status == 0
        assert np.abs(np.load("x.npy").astype(int) - expected).max() <= 1
    assert genpipe("decode", "vae", "z.npy").status == 0
    assert np.abs(cells(Path("decoded.png"), 2)[:3].astype(int) - expected[:, 0]).max() <= 1


def test_reconstructions_are_below_their_images(genpipe: Run, data: Prepared, small_project: Path) -> None:
    assert genpipe("reconstruct", "vae", "4-6").out == "Wrote reconstructed.png.\n"
    found, images = cells(Path("reconstructed.png"), 3), data.images("test")[4:7]
    assert (found[:3] == images[:, 0]).all()
    expected = decoded(small_project, codes(small_project, images))
    assert np.abs(found[3:].astype(int) - expected[:, 0]).max() <= 1


def test_a_walk_leads_from_each_to_the_next(genpipe: Run, data: Prepared, small_project: Path) -> None:
    z = codes(small_project, data.images("test")[:3])
    assert genpipe("walk", "vae", "0-2", "--steps", "5", "--path", "linear").status == 0
    middle = decoded(small_project, np.stack([(z[0] + z[1]) / 2, (z[1] + z[2]) / 2]))[:, 0]
    found = cells(Path("walk.png"), 5)
    assert len(found) == 10
    assert np.abs(found[[2, 7]].astype(int) - middle).max() <= 1
    assert genpipe("walk", "vae", "0-2", "--steps", "5", "--moving", "-o", "moving.png").status == 0
    with Image.open("moving.png") as picture:
        assert (picture.n_frames, picture.size) == (15, (SIZE + 2 * GAP, SIZE + 2 * GAP))


def test_arithmetic_adds_means(genpipe: Run, data: Prepared, small_project: Path) -> None:
    images = data.images("test")
    assert genpipe("arithmetic", "vae", "0-2", "3", "5").status == 0
    a, b, c = (codes(small_project, images[rows]).mean(0) for rows in ([0, 1, 2], [3], [5]))
    expected = decoded(small_project, np.stack([a, b, c, a - b + c]))[:, 0]
    assert np.abs(cells(Path("arithmetic.png"), 4).astype(int) - expected).max() <= 1


def test_a_traversal_turns_one_number_a_row(genpipe: Run, data: Prepared) -> None:
    assert genpipe("traverse", "vae", "2", "--codes", "3", "--steps", "4").status == 0
    assert len(cells(Path("traversal.png"), 4)) == 12
    assert genpipe("traverse", "vae", "-o", "t.npy").status == 0
    assert np.load("t.npy").shape == (8 * 11, 1, SIZE, SIZE)


def test_nothing_is_overwritten_unasked(genpipe: Run, data: Prepared, small_project: Path) -> None:
    for command, *words in (
        ("encode", "0"),
        ("reconstruct", "0"),
        ("walk",),
        ("traverse",),
        ("arithmetic", "0", "1", "2"),
    ):
        Path("out.npy").write_text("mine")
        done = genpipe(command, "vae", *words, "-o", "out.npy")
        assert (done.status, Path("out.npy").read_text()) == (1, "mine"), command
        assert "out.npy exists" in done.err
        assert genpipe(command, "vae", *words, "-o", "out.npy", "--force").status == 0
        assert len(np.load("out.npy")) > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["encode", "vea", "0"], "Did you mean 'vae'?"),
        (["encode", "vae", "0", "-o", "x.png"], "x.png is no .npy"),
        (["walk", "vae", "0-2", "-o", "x.gif"], "x.gif is no .png or .npy"),
        (["walk", "vae", "0"], "a walk needs two codes"),
        (["encode", "vae", "359-400"], "there are those from 0 to 359"),
        (["encode", "vae", "0-9999999999"], "0-9999999999 means no held-out images; there are those from 0 to 359"),
        (["encode", "vae", "9" * 5000], "… 9999"),
        (["encode", "vae", "0-" + "9" * 5000], "there are those from 0 to 359"),
        (["encode", "vae", "3,5-2"], "3,5-2 runs backwards; write 2-5."),
        (["encode", "vae", "0-359,7"], "0-359,7 means more images than the 360 held-out ones"),
        (["walk", "vae", "0-359", "--steps", "1000"], "that makes 360,000 images, and at most 10,000"),
        (["decode", "vae", "many.npy"], "that makes 10,001 images"),
        (["reconstruct", "vae", *["0-359"] * 28], "that makes 10,080 images"),
        (["traverse", "vae", "--steps", "10000000"], "less than or equal to 1000 "),
        (["sample", "vae", "-n", "10000000000"], "less than or equal to 10000 "),
        (["encode", "vae", "nothing.png"], "there is no nothing.png"),
        (["encode", "vae", "broken.png"], "broken.png cannot be read"),
        (["decode", "vae", "short.npy"], "short.npy has codes of 3 numbers; those of vae have 8"),
        (["decode", "vae", "pipe.npy"], "pipe.npy cannot be read as .npz or .npy: it is no regular file"),
        (["decode", "vae", "broken.npz"], "broken.npz cannot be read as .npz or .npy"),
        (["encode", "vae", "deep.npy"], "or save the images as uint8 from 0 to 255"),
    ],
)
def test_what_cannot_be_is_said(genpipe: Run, data: Prepared, words: list[str], said: str) -> None:
    Path("broken.png").write_text("no picture")
    Path("broken.npz").write_bytes(b"PK\3\4")
    os.mkfifo("pipe.npy")
    np.save("short.npy", np.zeros((2, 3)))
    np.save("many.npy", np.zeros((10_001, 8)))
    np.save("deep.npy", np.full((2, SIZE, SIZE), 200, np.uint16))
    done = genpipe(*words)
    assert done.status in (1, 2)
    assert said in done.err
    assert "Traceback" not in done.err


def test_more_rows_than_a_code_has_numbers_are_those_that_there_are(genpipe: Run, data: Prepared) -> None:
    assert genpipe("traverse", "vae", "--codes", "9" * 30, "--steps", "2", "-o", "t.npy").status == 0
    assert np.load("t.npy").shape == (8 * 2, 1, SIZE, SIZE)


@pytest.mark.parametrize(
    ("command", "verb", "others"),
    [("reconstruct", "reconstructs", ["vae", "pca"]), ("encode", "encodes", ["vae", "ae"])],
)
def test_a_system_that_cannot_is_refused_with_those_that_can(
    genpipe: Run, data: Prepared, small_project: Path, command: str, verb: str, others: list[str]
) -> None:
    index = small_project / "params.yaml"
    index.write_text(index.read_text().replace("vae: {model: vae,", "vae: {model: gan,"))
    pipeline = small_project / "pipelines" / "vae.yaml"
    from genpipe.composing import recipes

    pipeline.write_text(recipes.recipe("gan").text)
    save("gan", config.load(), data)
    done = genpipe(command, "vae", "0")
    assert done.status == 2
    assert f"vae is a gan, which {verb} nothing. Systems that do: " in done.err
    assert all(other in done.err for other in others)
    assert "dcgan" not in done.err
    assert genpipe("walk", "vae").status == 0, "codes of the prior"
    assert "encodes no images; give codes" in genpipe("walk", "vae", "0-3", "--force").err
