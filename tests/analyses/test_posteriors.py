"""What analyses say of codes, for encoders whose codes are known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from genpipe.analyses.active_units import ActiveUnits
from genpipe.analyses.aggregated_posterior import AggregatedPosterior, marginal_kl, mmd2
from genpipe.interfaces.generative import Decodes, Encodes, Generative
from genpipe.interfaces.posterior import HasPosterior
from genpipe.nn.priors import StandardNormalPrior


class Known(StandardNormalPrior, Generative, HasPosterior, Decodes):
    """Means with given deviations, decided by the image, and the variance that is missing to 1."""

    class Config: ...

    def __init__(self, deviations: tuple[float, ...], shift: float = 0.0) -> None:
        torch.nn.Module.__init__(self)
        self.latent_dim, self.shift = len(deviations), shift
        self.deviations = torch.nn.Parameter(torch.tensor(deviations))

    def phases(self) -> list:
        return []

    def posterior(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seeds = (x.flatten(1)[:, :4] * 12345).sum(1).abs().long().tolist()
        noise = torch.stack([torch.randn(self.latent_dim, generator=torch.Generator().manual_seed(s)) for s in seeds])
        rest = (1 - self.deviations.square()).clamp(1e-6)
        return noise * self.deviations + self.shift, rest.log().expand_as(noise)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(z), 1, 8, 8)


class Certain(StandardNormalPrior, Generative, Encodes, Decodes):
    """An autoencoder whose codes are all the same."""

    class Config: ...

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.latent_dim, self.weight = 2, torch.nn.Parameter(torch.zeros(()))

    def phases(self) -> list:
        return []

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return torch.full((len(x), 2), 3.0)

    decode = Known.decode


@pytest.fixture
def context(make: Any, random_images: Any) -> Any:
    return make(random_images(4, 0), random_images(4, 1), random_images(1500, 2))


def test_units_are_active_if_their_means_vary(context: Any) -> None:
    found = ActiveUnits(ActiveUnits.Config()).run(replace(context, model=Known((0.9, 0.11, 0.09, 0.0, 0.5))))
    assert found.numbers == {"active_units": 3}
    picture, caption = found.pictures["active_units"]
    assert picture.shape == (600, 960, 3)
    assert "1,500 held-out images, largest first: 3 of 5 exceed 0.01" in caption
    wide = ActiveUnits(ActiveUnits.Config(threshold=0.3)).run(replace(context, model=Known((0.9, 0.5))))
    assert wide.numbers == {"active_units": 1}


def test_codes_that_are_drawn_make_up_the_prior_though_their_means_do_not(context: Any) -> None:
    found = AggregatedPosterior(AggregatedPosterior.Config()).run(replace(context, model=Known((0.9, 0.1, 0.5))))
    assert found.numbers["prior_mmd2"] == pytest.approx(0, abs=2e-3)
    assert found.numbers["prior_marginal_kl_nats"] == pytest.approx(0, abs=0.02)
    assert found.pictures["aggregated_posterior"][0].shape == (800, 1920, 3)


def test_codes_off_the_prior_are_noticed(context: Any) -> None:
    shifted = AggregatedPosterior(AggregatedPosterior.Config()).run(replace(context, model=Known((0.9, 0.1), 1.0)))
    assert shifted.numbers["prior_mmd2"] > 0.1
    assert 0.8 < shifted.numbers["prior_marginal_kl_nats"] < 1.05, "half a nat for each number, less what bins hide"
    alike = AggregatedPosterior(AggregatedPosterior.Config()).run(replace(context, model=Certain()))
    assert alike.numbers["prior_marginal_kl_nats"] == pytest.approx(2 * np.log(20), abs=0.02), (
        "all in one bin of twenty"
    )


def test_classes_have_colors_of_their_own(context: Any) -> None:
    model = Known((0.9, 0.5))
    plain = AggregatedPosterior(AggregatedPosterior.Config()).run(replace(context, model=model))
    held_out = replace(context.real.held_out, labels=np.arange(1500) % 3)
    classes = replace(context, model=model, real=replace(context.real, held_out=held_out))
    colored = AggregatedPosterior(AggregatedPosterior.Config()).run(classes)
    name = "aggregated_posterior"
    assert colored.numbers == plain.numbers
    assert (colored.pictures[name][0] != plain.pictures[name][0]).any()


def test_the_distance_of_distributions_is_that_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 3)), rng.normal(size=(12, 3)) + 0.5
    middle = np.median([((a - b) ** 2).sum() for i, a in enumerate(y) for b in y[i + 1 :]])

    def k(a: np.ndarray, b: np.ndarray) -> float:
        away = ((a - b) ** 2).sum() / middle
        return float(np.mean([s / (s + away) for s in (0.1, 0.2, 0.5, 1, 2, 5, 10)]))

    within = sum(np.mean([k(a, b) for i, a in enumerate(z) for j, b in enumerate(z) if i != j]) for z in (x, y))
    across = np.mean([k(a, b) for a in x for b in y])
    assert mmd2(x, y) == pytest.approx(within - 2 * across)


def test_the_distance_of_equal_distributions_is_zero_on_average() -> None:
    rng = np.random.default_rng(1)
    found = [mmd2(rng.normal(size=(60, 2)), rng.normal(size=(60, 2))) for _ in range(200)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 200**0.5


def test_marginals_are_told_one_by_one() -> None:
    rng = np.random.default_rng(2)
    codes = rng.normal(size=(20_000, 3)) * [1, 0.1, 1] + [0, 0, 2]
    kl = marginal_kl(codes, rng.normal(size=(50_000, 3)))
    assert kl[0] == pytest.approx(0, abs=1e-3)
    narrow = -np.log(0.1) - 0.5 + 0.005
    assert narrow - 0.3 < kl[1] <= narrow
    assert 2 - 0.5 < kl[2] <= 2
