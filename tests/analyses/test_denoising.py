from typing import Any

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from genpipe.analyses._errors import psnr
from genpipe.analyses.denoising import Denoising, identity_distance
from genpipe.interfaces.analyses import AnalysisContext
from genpipe.interfaces.generative import Generative, Reconstructs
from genpipe.interfaces.tensors import Images


class Rebuilder(Generative, Reconstructs):
    """Reconstructs by a function."""

    class Config: ...

    def __init__(self, rebuild: Any) -> None:
        torch.nn.Module.__init__(self)
        self.register_buffer("here", torch.zeros(1))
        self.rebuild = rebuild

    def phases(self) -> list:
        return []

    def reconstruct(self, x: Images) -> Images:
        return self.rebuild(x)


def context(make: Any, images: np.ndarray, rebuild: Any) -> AnalysisContext:
    made = make(images[:5], images[:5], images)
    return AnalysisContext(Rebuilder(rebuild), made.samples, made.real, 0)


def test_psnr_is_scikit_images(random_images: Any) -> None:
    a, b = random_images(30, 0), random_images(30, 1)
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(a, b, data_range=255))
    assert psnr(a, a) == np.inf


def test_the_identity_gains_nothing_and_is_no_way_from_itself(make: Any, random_images: Any) -> None:
    found = Denoising(Denoising.Config()).run(context(make, random_images(40, 0), lambda x: x)).numbers
    assert found["denoising_gain_db"] == pytest.approx(0, abs=1e-9)
    assert found["denoising_identity_distance"] == 0
    picture = Denoising(Denoising.Config(images=3)).run(context(make, random_images(40, 0), lambda x: x)).pictures
    assert picture["denoising"][0].shape == (4 * 10 + 2, 3 * 10 + 2, 1)


def test_half_the_noise_taken_away_is_six_decibels_and_a_quarter_of_the_way(make: Any, random_images: Any) -> None:
    gray = np.full((60, 1, 8, 8), 100, np.uint8)
    clean = 100 / 127.5 - 1
    config = Denoising.Config(corruption="gaussian", amount=0.1)
    found = Denoising(config).run(context(make, gray, lambda x: (x + clean) / 2)).numbers
    assert found["denoising_gain_db"] == pytest.approx(20 * np.log10(2), abs=0.1)
    assert found["denoising_identity_distance"] == pytest.approx(0.25, abs=0.01)
    assert found["denoising_input_psnr_db"] == pytest.approx(20 * np.log10(20), abs=0.2)  # deviation: a twentieth


def test_the_distance_is_one_where_all_noise_goes() -> None:
    rng = np.random.default_rng(0)
    clean, noisy = rng.integers(0, 256, (2, 5, 1, 4, 4), dtype=np.uint8)
    assert identity_distance(noisy, clean, clean) == 1


def test_a_perfect_denoiser_has_no_gain_that_could_be_written(make: Any) -> None:
    gray = np.full((10, 1, 8, 8), 100, np.uint8)
    perfect = context(make, gray, lambda x: torch.full_like(x, 100 / 127.5 - 1))
    assert Denoising(Denoising.Config()).run(perfect).numbers.keys() == {
        "denoising_input_psnr_db",
        "denoising_identity_distance",
    }
    assert Denoising(Denoising.Config(amount=0.0)).run(perfect).numbers == {}
