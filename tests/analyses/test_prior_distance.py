from typing import Any

import numpy as np
import pytest
import torch

from genpipe.analyses.prior_distance import PriorDistance, mmd
from genpipe.interfaces import Codes, Decodes, Encodes, Generative, Images, Subject
from genpipe.nn.priors import StandardNormalPrior


class Shifted(StandardNormalPrior, Generative, Encodes, Decodes):
    """Its codes are those of the prior, moved."""

    class Config: ...

    def __init__(self, shift: float) -> None:
        torch.nn.Module.__init__(self)
        self.register_buffer("here", torch.zeros(1))
        self.latent_dim, self.shift = 3, shift

    def phases(self) -> list:
        return []

    def encode(self, x: Images) -> Codes:
        return torch.randn(len(x), 3, generator=torch.Generator().manual_seed(9)) + self.shift

    def decode(self, z: Codes) -> Images:
        return z[:, :1, None, None].expand(-1, 1, 8, 8)


def test_the_discrepancy_is_its_definition() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((7, 3)), rng.standard_normal((5, 3)) + 1

    def k(x: np.ndarray, y: np.ndarray) -> float:
        return 6.0 / (6.0 + float(np.square(x - y).sum()))

    within = [np.mean([k(x, y) for i, x in enumerate(s) for j, y in enumerate(s) if i != j]) for s in (a, b)]
    across = np.mean([k(x, y) for x in a for y in b])
    assert mmd(a, b, 6.0) == pytest.approx(sum(within) - 2 * across)


def test_it_is_about_nought_for_the_prior_itself_and_rises_with_the_shift(make: Any, random_images: Any) -> None:
    made = make(*(random_images(500, seed) for seed in range(3)))
    found = [
        PriorDistance(PriorDistance.Config()).run(Subject(Shifted(shift), made.samples, made.real, 0)).numbers
        for shift in (0.0, 0.5, 1.5)
    ]
    near, further, furthest = (numbers["prior_mmd"] for numbers in found)
    assert abs(near) < 5e-3
    assert abs(found[0]["prior_mmd_floor"]) < 5e-3
    assert 5e-3 < further < furthest
