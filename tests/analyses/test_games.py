"""The analyses of games against closed forms, with players whose every answer is known."""

from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from genpipe.analyses._points import Lattice, components
from genpipe.analyses.critic_estimate import CriticEstimate
from genpipe.analyses.discriminator_optimum import DiscriminatorOptimum, Game
from genpipe.analyses.generator_gradient import GeneratorGradient, gradient_norms
from genpipe.analyses.sampling_sweep import SamplingSweep
from genpipe.data.mixture import Mixture
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import AnalysisContext
from genpipe.interfaces.extractors import FeatureSet, Real
from genpipe.interfaces.sampling import sampling_with
from genpipe.interfaces.spec import DataSpec
from genpipe.models.gan import GAN
from genpipe.models.vae import VAE
from genpipe.nn.priors import StandardNormalPrior
from genpipe.sampling.drawing import generate_samples


def points(layout: str, count: int = 20_000) -> tuple[Mixture, FeatureSet]:
    """A mixture and its points as training images."""
    mixture = Mixture(Mixture.Config(layout=layout, components=3, deviation=0.06, images=count), Path())
    collection = mixture.collection(0)
    images = np.concatenate([chunk.images for chunk in collection.read(np.arange(count))]).transpose(0, 3, 1, 2)
    return mixture, FeatureSet(
        images, images.reshape(count, -1).astype(np.float32), None, np.asarray(collection.labels)
    )


class Known(nn.Module):
    """A player that gives what a function says."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function, self.weight = function, nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def context(dimensions: int, real: FeatureSet, generator: Any, discriminator: Any) -> AnalysisContext:
    model = GAN(GAN.Config(latent_dim=4, widths=[4]), DataSpec(dimensions, 1, 1, ("0", "1", "2"))).eval()
    model.generator, model.discriminator = Known(generator), Known(discriminator)
    return AnalysisContext(model, real, Real(real, real), 0)


@pytest.mark.parametrize("layout", ["line", "ring"])
def test_masses_of_cells_are_those_of_the_density(layout: str) -> None:
    mixture, real = points(layout)
    lattice = Lattice(mixture.channels, 100)
    mass = lattice.mass(components(real))
    density = mixture.density(lattice.centers) * 0.02**mixture.channels
    assert mass.sum() == pytest.approx(1, abs=1e-4)
    assert np.abs(mass - density).sum() < 0.04
    assert np.abs(lattice.counted(real.images[:, :, 0, 0] / 127.5 - 1) - mass).sum() < 0.6, "of 20,000 points"


@pytest.mark.parametrize("layout", ["line", "ring"])
def test_of_equal_densities_the_value_is_minus_log_4_and_d_a_half(layout: str) -> None:
    mixture, real = points(layout)
    means = torch.from_numpy(mixture.means).float()

    def generator(z: Tensor) -> Tensor:
        mine = means[torch.arange(len(z)) % 3] + 0.06 * z[:, : mixture.channels]
        return mine[:, :, None, None]

    given = context(mixture.channels, real, generator, lambda x: torch.zeros(len(x), 1))
    numbers = DiscriminatorOptimum(DiscriminatorOptimum.Config(cells=50)).run(given).numbers
    assert numbers["value_nats"] == pytest.approx(-log(4), abs=1e-6)
    assert numbers["optimal_value_nats"] == pytest.approx(-log(4), abs=0.01)
    assert numbers["jsd_nats"] == pytest.approx(0, abs=0.005)
    assert numbers["discriminator_gap"] == pytest.approx(0, abs=0.02)


def test_densities_apart_are_told_apart_surely() -> None:
    _, real = points("line")

    def generator(z: Tensor) -> Tensor:
        return torch.full((len(z), 1, 1, 1), 0.35)

    given = context(1, real, generator, lambda x: 2000 * ((x.flatten(1) - 0.35).abs() - 0.02))
    found = DiscriminatorOptimum(DiscriminatorOptimum.Config()).run(given)
    assert found.numbers["value_nats"] == pytest.approx(0, abs=0.01)
    assert found.numbers["jsd_nats"] == pytest.approx(log(2), abs=0.01)
    assert found.numbers["discriminator_gap"] < 0.01


def test_the_optimal_value_is_minus_log_4_and_twice_the_divergence() -> None:
    rng = np.random.default_rng(0)
    p, q = rng.random((2, 30)) ** 3
    game = Game(p / p.sum(), q / q.sum(), rng.random(30))
    assert game.value(game.optimum) == pytest.approx(-log(4) + 2 * game.jsd)
    assert game.value(game.d) < game.value(game.optimum)
    assert (game.optimum == game.p / (game.p + game.p_g)).all()


def test_images_have_no_density_to_draw(make: Any, random_images: Any) -> None:
    given = make(*(random_images(20, k) for k in range(3)))
    model = GAN(GAN.Config(latent_dim=2, widths=[4]), DataSpec(1, 8, 8))
    with pytest.raises(Unsuitable, match="`mixture` with `size: 1`"):
        DiscriminatorOptimum(DiscriminatorOptimum.Config()).run(AnalysisContext(model, given.samples, given.real, 0))


def test_the_norms_are_those_of_the_gradients_of_the_losses() -> None:
    model = GAN(GAN.Config(latent_dim=3, widths=[5]), DataSpec(1, 2, 2))
    z = torch.randn(6, 3)
    for name, loss in (
        ("minimax", lambda d: (1 - d.sigmoid()).log().mean()),
        ("non_saturating", lambda d: -d.sigmoid().log().mean()),
    ):
        model.zero_grad()
        loss(model.discriminator(model.generator(z))).backward()
        norm = torch.cat([w.grad.flatten() for w in model.generator.parameters()]).norm()
        assert gradient_norms(model, z)[name] == pytest.approx(float(norm), rel=1e-4)


def test_only_the_minimax_gradient_vanishes_and_the_model_stays_as_it_was(make: Any, random_images: Any) -> None:
    given = make(*(random_images(60, k) for k in range(3)))
    model = GAN(GAN.Config(latent_dim=4, widths=[16]), DataSpec(1, 8, 8))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    analysis = GeneratorGradient(GeneratorGradient.Config(turns=200, looks=5, lr=1e-2))
    found = analysis.run(AnalysisContext(model, given.samples, given.real, 0))
    assert found.numbers["generator_gradient_minimax_left"] < 0.2
    assert found.numbers["generator_gradient_non_saturating_left"] > 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert found.numbers == analysis.run(AnalysisContext(model, given.samples, given.real, 0)).numbers


@pytest.mark.parametrize("threshold", [0.1, 1.0, 3.0])
def test_truncated_codes_are_normal_within_the_threshold(threshold: float) -> None:
    class Prior(StandardNormalPrior):
        latent_dim = 10

    z = Prior().truncated_prior(5000, threshold, torch.Generator().manual_seed(0)).flatten()
    assert z.abs().max() <= threshold
    normal = torch.randn(2_000_000)
    kept = normal[normal.abs() < threshold]
    assert float(z.std()) == pytest.approx(float(kept.std()), rel=0.02)
    assert float((z.abs() < threshold / 2).float().mean()) == pytest.approx(
        float((kept.abs() < threshold / 2).float().mean()), abs=0.01
    )


def test_a_sweep_scores_samples_at_each_value_of_an_option(make: Any, random_images: Any) -> None:
    asked: list[FeatureSet] = []

    def scorer(images: FeatureSet, metrics: Any) -> dict[str, float]:
        assert tuple(metrics) == ("precision_recall",)
        asked.append(images)
        return {"precision_x": 1 - 0.1 * len(asked), "recall_x": 0.1 * len(asked)}

    given = make(*(random_images(20, k) for k in range(3)))
    model = GAN(GAN.Config(latent_dim=4, widths=[16]), DataSpec(1, 8, 8)).eval()

    def draw(n: int) -> np.ndarray:
        return generate_samples(model, n, seed=0)

    looked_at = AnalysisContext(model, given.samples, given.real, 0, given.extract, scorer, draw)
    found = SamplingSweep(SamplingSweep.Config(values=[2.0, 0.01, 0.5], images=30)).run(looked_at)
    assert found.numbers == {
        "truncation_precision_x_rank_correlation": pytest.approx(-1),
        "truncation_recall_x_rank_correlation": pytest.approx(1),
    }
    assert set(found.pictures) == {"sampling_sweep", "sampling_sweep_samples"}
    spread = [images.images.astype(float).std(0).mean() for images in asked]
    assert spread[0] < spread[1] < spread[2], "the smallest threshold first"
    with sampling_with(model, truncation=2.0):
        assert (draw(30) == asked[2].images).all()
    assert model.sampling.truncation is None, "the sweep changes nothing that lasts"


@pytest.mark.parametrize(
    ("model_class", "knobs", "told"),
    [
        (VAE, {}, "`truncation` is no option of sampling; the model has none"),
        (GAN, {"option": "steps"}, "`steps` is no option of sampling; the model has truncation"),
        (GAN, {"values": [1.0, -1.0, 2.0]}, "`truncation` is -1.0: Input should be greater than 0"),
    ],
)
def test_a_sweep_of_what_a_model_has_not_is_refused(model_class: Any, knobs: Any, told: str) -> None:
    assert told in (SamplingSweep(SamplingSweep.Config(**knobs)).unsuited(model_class) or "")
    assert SamplingSweep(SamplingSweep.Config()).unsuited(GAN) is None


def test_the_critics_estimate_is_set_beside_fid_of_the_same_steps(make: Any, random_images: Any) -> None:
    given = make(*(random_images(20, k) for k in range(3)))
    curves = [{"step": float(s), "discriminator/critic_estimate": 10.0 / s} for s in range(5, 31, 5)]
    scores = [{"step": float(s), "fid_x": 100.0 / s, "fid_x_infinite": 0.0} for s in (10, 20, 30)]
    looked_at = AnalysisContext(given.model, given.samples, given.real, 0, curves=curves, scores_by_step=scores)
    found = CriticEstimate(CriticEstimate.Config()).run(looked_at)
    assert found.numbers == {"critic_fid_rank_correlation": pytest.approx(1)}
    assert "rank correlation is 1.00" in found.pictures["critic_estimate"][1]
    with pytest.raises(Unsuitable, match="loss: wasserstein"):
        CriticEstimate(CriticEstimate.Config()).run(given)
