"""Pictures on disk, still and moving."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from genpipe import registry
from genpipe.interfaces import ImageSpec
from genpipe.modelfiles import load_model, save_model
from genpipe.nn.pixels import to_pixels
from genpipe.sampling import asked, draw, save_picture

CONDITIONAL = ["biggan", "cgan", "cvae", "ss_vae"]


def conditional(name: str, spec: ImageSpec) -> Any:
    """A class-conditional model with its first weights."""
    torch.manual_seed(0)
    kind = registry.load("models", name)
    return kind(kind.Config(), spec).eval()


@pytest.mark.parametrize("name", CONDITIONAL)
def test_classes_without_training_images_are_not_drawn(name: str, tmp_path: Path) -> None:
    spec = ImageSpec(1, 16, 16, tuple("abcde"), untrained=(0, 3))
    model = conditional(name, spec)
    assert asked(model, 7).tolist() == [1, 2, 4, 1, 2, 4, 1]
    save_model(model, name, type(model).Config(), spec, tmp_path / "model")
    loaded, known = load_model(tmp_path / "model")
    assert known == spec
    assert asked(loaded, 4).tolist() == [1, 2, 4, 1], "the finished model knows it, wherever it is taken"
    seen = []
    loaded.sample_of = lambda y, rng: (seen.append(y), type(loaded).sample_of(loaded, y, rng))[1]
    loaded.sample(50, torch.Generator(loaded.device).manual_seed(0))
    assert set(torch.cat(seen).tolist()) == {1, 2, 4}


@pytest.mark.parametrize("name", CONDITIONAL)
def test_with_training_images_of_all_classes_all_are_drawn_in_turn(name: str) -> None:
    model = conditional(name, ImageSpec(1, 16, 16, tuple("abc")))
    assert asked(model, 5).tolist() == [0, 1, 2, 0, 1]
    own = int(np.random.SeedSequence((7, 0)).generate_state(1)[0])
    with torch.inference_mode():
        x = model.sample_of(torch.arange(5) % 3, torch.Generator().manual_seed(own))
    assert (draw(model, 5, seed=7) == to_pixels(x).numpy()).all()


def test_truncated_samples_are_of_trained_classes_too() -> None:
    model = conditional("cgan", ImageSpec(1, 16, 16, tuple("abcde"), untrained=(0, 3)))
    seen = []
    model.generator.register_forward_pre_hook(lambda _, given: seen.append(given[1]))
    model.sample_within(5, 0.5, torch.Generator().manual_seed(0))
    assert seen[0].tolist() == [1, 2, 4, 1, 2]


@pytest.mark.parametrize("channels", [1, 3])
def test_frames_become_one_picture_that_moves_for_ever(tmp_path: Path, channels: int) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (4, 6, 5, channels), dtype=np.uint8)
    save_picture(frames, tmp_path / "moving.png")
    with Image.open(tmp_path / "moving.png") as image:
        assert (image.n_frames, image.size, image.info["loop"]) == (4, (5, 6), 0)
        for k, frame in enumerate(frames):
            image.seek(k)
            assert (np.asarray(image.convert("RGB")) == frame).all(), k


def test_a_picture_does_not_move(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (6, 5, 1), dtype=np.uint8)
    for name, one in (("still", picture), ("frame", picture[None])):
        save_picture(one, tmp_path / f"{name}.png")
        with Image.open(tmp_path / f"{name}.png") as image:
            assert getattr(image, "n_frames", 1) == 1
            assert (np.asarray(image) == picture[..., 0]).all()
