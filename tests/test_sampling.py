"""What a model gives, as pixels; and pictures on disk, still and moving."""

import warnings
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from genpipe.errors import ModelWarning, NonFiniteImages
from genpipe.interfaces import Decodes, Generative, ImageSpec, Phase, Reconstructs
from genpipe.nn.passing import decoded, rebuilt
from genpipe.sampling import draw, rebuild, save_picture
from genpipe.schema import Strict


class Giving(Generative, Decodes, Reconstructs):
    """Gives values of its own making: one in `every` of them is `odd`, the others are 0."""

    def __init__(self, odd: float, every: int) -> None:
        super().__init__(Strict(), ImageSpec(1, 4, 4))
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
    "draw": lambda model: draw(model, 50, seed=0, batch_size=20),
    "rebuild": lambda model: rebuild(model, PIXELS),
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
        assert draw(Giving(odd, every), 50, seed=0).max() in (0, 255)


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
