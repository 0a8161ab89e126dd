from dataclasses import replace
from math import log
from typing import Any

import numpy as np
import pytest
import torch

from genpipe.analyses.likelihood import Likelihood, bound
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.likelihood import HasImportanceWeights, HasLikelihood


class Uniform(Generative, HasLikelihood):
    """All images alike: as a density on the cells of the 256 levels, or as their probability."""

    class Config: ...

    def __init__(self, of: str) -> None:
        torch.nn.Module.__init__(self)
        self.likelihood_of, self.weight = of, torch.nn.Parameter(torch.zeros(()))

    def phases(self) -> list:
        return []

    def log_likelihood(self, x: torch.Tensor, draws: int, rng: torch.Generator) -> torch.Tensor:
        each = {"density": log(255 / 512), "256 levels": -log(256), "2 levels": -log(2)}[self.likelihood_of]
        inside = (x.abs() <= 256 / 255 + 1e-6).flatten(1).all(1)
        return torch.where(inside, x[0].numel() * each, -torch.inf).double()


class Weighted(Uniform, HasImportanceWeights):
    """Log weights that are standard normal: the bound of k codes is E log mean exp of k of them."""

    log_likelihood = HasImportanceWeights.log_likelihood

    def log_weights(self, x: torch.Tensor, draws: int, rng: torch.Generator) -> torch.Tensor:
        return torch.randn(draws, len(x), generator=rng)


@pytest.fixture
def context(make: Any, random_images: Any) -> Any:
    return make(random_images(4, 0), random_images(4, 1), random_images(150, 2))


@pytest.mark.parametrize(("of", "bits"), [("density", 8.0), ("256 levels", 8.0), ("2 levels", 1.0)])
def test_bits_are_of_images_as_they_are_stored(context: Any, of: str, bits: float) -> None:
    found = Likelihood(Likelihood.Config()).run(replace(context, model=Uniform(of)))
    assert found.numbers == {
        "nll_nats": pytest.approx(bits * log(2) * 64, rel=1e-6),
        "bits_per_dimension": pytest.approx(bits, rel=1e-6),
    }
    picture, caption = found.pictures["likelihood"]
    assert picture.shape == (600, 960, 3)
    assert ("dequantized" in caption) == (of == "density")
    assert "150 held-out ones, which is" in caption


def test_bounds_of_few_codes_stand_beside_the_estimate(context: Any) -> None:
    found = Likelihood(Likelihood.Config(images=120, draws=200)).run(replace(context, model=Weighted("2 levels")))
    numbers = found.numbers
    assert list(numbers) == [
        "nll_nats",
        "bits_per_dimension",
        *(f"negative_bound_{k}_nats" for k in (1, 5, 50)),
    ]
    assert numbers["negative_bound_1_nats"] == pytest.approx(0, abs=0.03), "the mean of log weights"
    assert numbers["nll_nats"] == pytest.approx(-0.5, abs=0.03), "log E exp of a standard normal number is 1/2"
    rising = [numbers[f"negative_bound_{k}_nats"] for k in (1, 5, 50)]
    assert rising == sorted(rising, reverse=True)
    assert rising[-1] > numbers["nll_nats"]
    picture, caption = found.pictures["likelihood"]
    assert picture.shape == (600, 1920, 3)
    assert "estimated with 200 codes each" in caption


def test_a_single_code_gives_the_lower_bound_alone(context: Any) -> None:
    found = Likelihood(Likelihood.Config(draws=1)).run(replace(context, model=Weighted("2 levels")))
    assert found.numbers["nll_nats"] == found.numbers["negative_bound_1_nats"]
    assert found.pictures["likelihood"][0].shape == (600, 960, 3)


def test_groups_of_codes_are_averaged() -> None:
    log_w = torch.randn(7, 3, dtype=torch.float64)
    first, second = (np.log(np.exp(part.numpy()).mean(0)) for part in (log_w[:3], log_w[3:6]))
    np.testing.assert_allclose(bound(log_w, 3).numpy(), (first + second) / 2)
    torch.testing.assert_close(bound(log_w, 1), log_w.mean(0))
