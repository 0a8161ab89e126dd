from math import log

import pytest
import torch
from torch.distributions import Bernoulli, ContinuousBernoulli, Normal

from genpipe.errors import Unsuitable
from genpipe.interfaces.spec import DataSpec
from genpipe.nn import likelihoods
from genpipe.nn.levels import LEVEL, as_stored, bits_per_dimension, dequantized
from genpipe.nn.likelihoods import Likelihood, likelihood

NAMES = likelihoods.Name.__args__
LEVELS = torch.linspace(-1, 1, 256, dtype=torch.float64)
SPEC = DataSpec(1, 1, 1, levels=2)


def made(name: str) -> Likelihood:
    return likelihood(name, 0.3, SPEC).double()


def outputs(of: Likelihood, n: int = 6, scale: float = 2.0) -> torch.Tensor:
    """Some outputs of a decoder for images of one pixel."""
    return scale * torch.randn(n, of.outputs, 1, 1, dtype=torch.float64)


def each(of: Likelihood, x: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
    """−log p of each x [m] under each output [n k 1 1]: [n m]."""
    n, m = len(given), len(x)
    images = x.repeat(n)[:, None, None, None]
    return of.nll(images, given.repeat_interleave(m, 0)).view(n, m).detach()


def inside(of: Likelihood) -> torch.Tensor:
    """Where a likelihood may put its mass, finely."""
    if of.of != "density":
        return LEVELS if of.of == "256 levels" else LEVELS[[0, -1]]
    reach = 256 / 255 if isinstance(of, likelihoods.ContinuousBernoulli) else 30
    return torch.linspace(-reach, reach, 100_001, dtype=torch.float64)


@pytest.mark.parametrize("name", NAMES)
def test_every_likelihood_sums_or_integrates_to_one(name: str) -> None:
    of = made(name)
    x = inside(of)
    p = (-each(of, x, outputs(of))).exp()
    mass = torch.trapezoid(p, x) if of.of == "density" else p.sum(1)
    torch.testing.assert_close(mass, torch.ones(6, dtype=torch.float64), rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_the_mean_is_that_of_the_distribution_and_in_range(name: str) -> None:
    of = made(name)
    given = outputs(of)
    x = inside(of)
    p = (-each(of, x, given)).exp()
    mean = torch.trapezoid(p * x, x) if of.of == "density" else (p * x).sum(1)
    tolerance = LEVEL / 2 if of.of == "256 levels" else 1e-4  # whose mean is said to be that to half a level
    torch.testing.assert_close(of.mean(given).flatten().detach(), mean.clamp(-1, 1), rtol=0, atol=tolerance)
    assert of.mean(outputs(of, 50, 30.0)).abs().max() <= 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [0.0, 1e-4, 1.0, 80.0])
def test_values_and_gradients_are_finite_at_extremes(name: str, scale: float) -> None:
    of = likelihood(name, 0.3, SPEC)
    ends = torch.tensor([-1.0, 1.0]).repeat(2)[:, None, None, None]
    given = (scale * torch.tensor([1.0, 1.0, -1.0, -1.0]))[:, None, None, None].repeat(1, of.outputs, 1, 1)
    given.requires_grad_()
    nll = of.nll(ends, given)
    nll.sum().backward()
    assert torch.isfinite(nll).all()
    assert torch.isfinite(given.grad).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_likelihood_is_what_float64_gives(name: str) -> None:
    exact = made(name)
    given, x = outputs(exact, 400, 1.0), LEVELS[torch.randint(256, (400,))][:, None, None, None]
    x = x.sign() if exact.of == "2 levels" else x
    single = likelihood(name, 0.3, SPEC)
    found = single.nll(x.float(), given.float()).double()
    torch.testing.assert_close(found, exact.nll(x, given), rtol=1e-4, atol=1e-5)


def test_gaussians_are_pytorchs() -> None:
    x, given = torch.rand(4, 2, 3, 3) * 2 - 1, torch.randn(4, 4, 3, 3)
    raw, log_variance = given.chunk(2, 1)
    fixed = -Normal(raw.tanh(), 0.3**0.5).log_prob(x).sum((1, 2, 3))
    torch.testing.assert_close(likelihood("gaussian", 0.3, SPEC).nll(x, raw), fixed)
    pixel = -Normal(raw.tanh(), (0.5 * log_variance).exp()).log_prob(x).sum((1, 2, 3))
    torch.testing.assert_close(likelihood("gaussian_pixel_variance", 0.3, SPEC).nll(x, given), pixel, rtol=1e-4, atol=0)
    learned = likelihood("gaussian_learned_variance", 0.3, SPEC)
    unit = -Normal(raw.tanh(), 1.0).log_prob(x).sum((1, 2, 3))
    torch.testing.assert_close(learned.nll(x, raw).detach(), unit, rtol=1e-4, atol=0)


def test_the_learned_variance_becomes_the_mean_squared_error() -> None:
    learned = likelihood("gaussian_learned_variance", 0.3, SPEC)
    x, given = torch.rand(64, 1, 4, 4) * 2 - 1, torch.zeros(64, 1, 4, 4)
    optimizer = torch.optim.Adam(learned.parameters(), lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        learned.nll(x, given).mean().backward()
        optimizer.step()
    assert float(learned.log_variance.detach().exp()) == pytest.approx(float(x.square().mean()), rel=1e-2)


def test_bernoullis_are_pytorchs() -> None:
    logits = 3 * torch.randn(40, 1, 1, 1, dtype=torch.float64)
    x = (torch.rand(40, 1, 1, 1, dtype=torch.float64) > 0.5) * 2.0 - 1
    expected = -Bernoulli(logits=logits).log_prob((x + 1) / 2).flatten()
    torch.testing.assert_close(made("bernoulli").nll(x, logits), expected)
    gray = torch.rand(40, 1, 1, 1, dtype=torch.float64) * 2 - 1
    density = ContinuousBernoulli(logits=logits).log_prob((gray * 255 / 256 + 1) / 2).flatten() + log(255 / 512)
    torch.testing.assert_close(made("continuous_bernoulli").nll(gray, logits), -density, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("logit", [1e-6, 1e-3, 0.1, 0.4999, 0.5001, 1.0, 60.0])
def test_the_continuous_bernoulli_is_exact_around_one_half_and_far_away(logit: float) -> None:
    """Its normalizer log((eᶯ − 1) / η) in float64 with `expm1`, which is exact for such η, against float32."""
    eta = torch.tensor(logit, dtype=torch.float64)
    t = torch.tensor(0.3, dtype=torch.float64)
    expected = torch.log(torch.expm1(eta) / eta) - eta * t - log(255 / 512)
    x = ((2 * t - 1) * 256 / 255).float().view(1, 1, 1, 1)
    found = likelihood("continuous_bernoulli", 0.3, SPEC).nll(x, eta.float().view(1, 1, 1, 1))
    assert float(found) == pytest.approx(float(expected), rel=1e-6, abs=1e-6)


def test_the_outer_levels_of_the_discretized_logistic_take_the_tails() -> None:
    of = made("discretized_logistic")
    given = torch.tensor([0.2, 1.0], dtype=torch.float64).view(1, 2, 1, 1)
    s = torch.tensor(1.0, dtype=torch.float64).exp()  # so far from its bound the raw log s is log s
    low, high = (-each(of, LEVELS[[0, -1]], given)[0]).exp()
    torch.testing.assert_close(low, torch.sigmoid((-1 + 1 / 255 - 0.2) / s), rtol=1e-3, atol=0)
    torch.testing.assert_close(high, torch.sigmoid((0.2 - 1 + 1 / 255) / s), rtol=1e-3, atol=0)


def test_one_likelihood_alone_asks_for_two_levels() -> None:
    gray = DataSpec(1, 1, 1)
    with pytest.raises(Unsuitable, match=r"these have 256\. Give the data set `binarize"):
        likelihood("bernoulli", 0.3, gray)
    assert [likelihood(name, 0.3, gray).outputs for name in NAMES if name != "bernoulli"] == [1, 1, 2, 1, 2]


@pytest.mark.parametrize("name", ["gaussian", "continuous_bernoulli"])
def test_a_density_counts_once_for_each_cell_and_levels_then_sum_to_one(name: str) -> None:
    """Averaged over the cells, densities times their width are probabilities of levels; Gaussians have some outside."""
    of = made(name)
    given = outputs(of, 3, 0.5)
    rng = torch.Generator().manual_seed(0)
    p = torch.zeros(3, 256, dtype=torch.float64)
    for _ in range(50):
        x = dequantized(LEVELS[:, None, None, None], rng).flatten()
        assert ((x - LEVELS).abs() <= LEVEL / 2).all()
        p += as_stored(-each(of, x, given).flatten(), of.of, 1).exp().view(3, 256) / 50
    reach = Normal(of.mean(given).flatten(), 0.3**0.5).cdf(torch.tensor([[-256 / 255], [256 / 255]]))
    expected = reach[1] - reach[0] if name == "gaussian" else torch.ones(3, dtype=torch.float64)
    torch.testing.assert_close(p.sum(1), expected, rtol=2e-3, atol=0)


def test_levels_need_no_width_and_bits_are_of_each_number() -> None:
    log_p = torch.tensor([-3.0])
    assert as_stored(log_p, "256 levels", 7) is log_p
    assert as_stored(log_p, "2 levels", 7) is log_p
    assert float(as_stored(log_p, "density", 7)) == pytest.approx(-3 - 7 * log(127.5))
    assert bits_per_dimension(8 * log(2) * 784, 784) == pytest.approx(8)
