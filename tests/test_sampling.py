"""Pictures on disk, still and moving."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genpipe.sampling import save_picture


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
