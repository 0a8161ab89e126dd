"""What a model gives, as pixels; and pictures on disk, still and moving."""

import warnings
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from genpipe import registry
from genpipe.artifacts.models import load_model, save_model
from genpipe.errors import ModelWarning, NonFiniteImages
from genpipe.interfaces.generative import Decodes, Generative, Reconstructs
from genpipe.interfaces.phases import Phase
from genpipe.interfaces.sampling import sampling_with
from genpipe.interfaces.spec import DataSpec
from genpipe.nn.batched_inference import decoded, rebuilt
from genpipe.nn.pixel_range import to_pixels
from genpipe.sampling.drawing import generate_samples, reconstruct_images, requested_labels, save_picture
from genpipe.schema import Strict


class Giving(Generative, Decodes, Reconstructs):
    """Gives values of its own making: one in `every` of them is `odd`, the others are 0."""

    def __init__(self, odd: float, every: int) -> None:
        super().__init__(Strict(), DataSpec(1, 4, 4))
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.odd, self.every = odd, every

    def phases(self) -> list[Phase]:
        return []

    def prior(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.zeros(n, 2)

    def decode(self, z: Tensor) -> Tensor:
        x = torch.zeros(len(z) * 16)
        x[:: self.every] = self.odd
        return x.reshape(-1, 1, 4, 4)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(x)


PIXELS, CODES = np.zeros((50, 1, 4, 4), np.uint8), np.zeros((50, 2))
WAYS = {
    "draw": lambda model: generate_samples(model, 50, seed=0, batch_size=20),
    "rebuild": lambda model: reconstruct_images(model, PIXELS),
    "rebuilt": lambda model: rebuilt(model, PIXELS),
    "decoded": lambda model: decoded(model, CODES),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("odd", [nan, inf, -inf])
def test_images_that_are_not_finite_are_refused_with_their_share(way: str, odd: float) -> None:
    with pytest.raises(NonFiniteImages, match=r"50\.0% of the .* of Giving are NaN or infinite"):
        WAYS[way](Giving(odd, every=32))


@pytest.mark.parametrize("way", WAYS)
def test_values_that_no_pixel_can_show_are_warned_of_once_if_they_are_many(way: str) -> None:
    with pytest.warns(ModelWarning, match=r"Giving's .* lie beyond \[-1, 1\]") as warned:
        images = WAYS[way](Giving(1e30, every=8))
    assert len(warned) == 1
    assert "12.5% of the values" in str(warned[0].message)
    assert (np.unique(images) == [128, 255]).all()


@pytest.mark.parametrize(("odd", "every"), [(1e30, 101), (1.003, 1), (-1.003, 1)])
def test_few_such_values_and_rounding_are_no_matter(odd: float, every: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert generate_samples(Giving(odd, every), 50, seed=0).max() in (0, 255)


CONDITIONAL = ["biggan", "cgan", "cvae", "ss_vae"]


def conditional(name: str, spec: DataSpec) -> Any:
    """A class-conditional model with its first weights."""
    torch.manual_seed(0)
    kind = registry.load("models", name)
    return kind(kind.Config(), spec).eval()


@pytest.mark.parametrize("name", CONDITIONAL)
def test_classes_without_training_images_are_not_drawn(name: str, tmp_path: Path) -> None:
    spec = DataSpec(1, 16, 16, tuple("abcde"), untrained=(0, 3))
    model = conditional(name, spec)
    assert requested_labels(model, 7).tolist() == [1, 2, 4, 1, 2, 4, 1]
    save_model(model, name, type(model).Config(), spec, tmp_path / "model")
    loaded, known = load_model(tmp_path / "model")
    assert known == spec
    assert requested_labels(loaded, 4).tolist() == [1, 2, 4, 1], "the finished model knows it, wherever it is taken"
    seen = []
    loaded.sample_of = lambda y, rng: (seen.append(y), type(loaded).sample_of(loaded, y, rng))[1]
    loaded.sample(50, torch.Generator(loaded.device).manual_seed(0))
    assert set(torch.cat(seen).tolist()) == {1, 2, 4}


@pytest.mark.parametrize("name", CONDITIONAL)
def test_with_training_images_of_all_classes_all_are_drawn_in_turn(name: str) -> None:
    model = conditional(name, DataSpec(1, 16, 16, tuple("abc")))
    assert requested_labels(model, 5).tolist() == [0, 1, 2, 0, 1]
    own = int(np.random.SeedSequence((7, 0)).generate_state(1)[0])
    with torch.inference_mode():
        x = model.sample_of(torch.arange(5) % 3, torch.Generator().manual_seed(own))
    assert (generate_samples(model, 5, seed=7) == to_pixels(x).numpy()).all()


def test_truncated_samples_are_of_trained_classes_too() -> None:
    model = conditional("cgan", DataSpec(1, 16, 16, tuple("abcde"), untrained=(0, 3)))
    seen = []
    model.generator.register_forward_pre_hook(lambda _, given: seen.append(given[1]))
    with sampling_with(model, truncation=0.5):
        generate_samples(model, 5, seed=0)
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
