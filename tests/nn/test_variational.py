"""Bounds and estimates against a model whose log p(x) is known: z ~ N(0, I) and x = Wz + noise."""

from math import log
from typing import Any

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal, Normal

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Codes, Images
from genpipe.nn import variational
from genpipe.nn.likelihoods import Gaussian
from genpipe.nn.variational import (
    LatentVariable,
    LatentVariableModel,
    iwae_loss,
    kl_to_standard_normal,
    log_weights,
    negative_elbo,
)

SPEC = DataSpec(1, 2, 2)
VARIANCE = 0.5


class Linear(Gaussian):
    """A Gaussian whose mean is the output itself."""

    def _parts(self, outputs: Images) -> Any:
        return outputs, self.log_variance


class LinearGaussian(LatentVariableModel):
    """p(x) = N(0, WWᵀ + v·I) exactly; q(z|x) is the exact posterior's mean with a wider, diagonal covariance."""

    class Config(LatentVariable): ...

    def __init__(self, wider: float = 1.5) -> None:
        super().__init__(self.Config(architecture="mlp", widths=[4], latent_dim=2), SPEC)
        self.likelihood = Linear(VARIANCE)
        W = torch.tensor([[1.0, 0.3], [0.2, -0.8], [-0.5, 0.4], [0.1, 0.9]])
        self.W, self.wider = nn.Parameter(W), wider
        self.decoder = nn.Sequential(nn.Linear(2, 4, bias=False), nn.Unflatten(1, SPEC.shape))
        self.decoder[0].weight = self.W
        self.double()

    def loss(self, batch: Batch) -> Any:
        return negative_elbo(batch.x, self.posterior(batch.x), self.decoder, self.likelihood, 1.0)

    def covariance(self) -> torch.Tensor:
        """Of p(z|x)."""
        return torch.linalg.inv(torch.eye(2) + self.W.T @ self.W / VARIANCE).detach()

    def posterior(self, x: Images) -> tuple[Codes, Codes]:
        mu = x.flatten(1) @ self.W / VARIANCE @ self.covariance()
        return mu, (self.wider * self.covariance().diagonal()).log().expand_as(mu)

    def exact(self, x: Images) -> torch.Tensor:
        covariance = self.W @ self.W.T + VARIANCE * torch.eye(4, dtype=torch.float64)
        return MultivariateNormal(torch.zeros(4, dtype=torch.float64), covariance).log_prob(x.flatten(1)).detach()


@pytest.fixture
def model() -> LinearGaussian:
    return LinearGaussian()


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(6, *SPEC.shape, dtype=torch.float64)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_estimate_converges_to_the_exact_likelihood_from_below(model: LinearGaussian, x: torch.Tensor) -> None:
    with torch.no_grad():
        exact, log_w = model.exact(x), model.log_weights(x, 200_000, rng())
        torch.testing.assert_close(model.log_likelihood(x, 200_000, rng()), exact, rtol=0, atol=5e-3)
    bounds = [log_w.view(-1, k, 6).logsumexp(1).mean(0) - log(k) for k in (1, 5, 50, 1000)]
    for lower, higher in zip(bounds, [*bounds[1:], exact], strict=True):
        assert (lower < higher + 2e-3).all()
    assert (bounds[0] < exact - 0.05).all(), "the posterior is not exact, and the bound shows it"


def test_the_weights_of_an_exact_posterior_are_all_the_likelihood(x: torch.Tensor) -> None:
    model = LinearGaussian(wider=1.0)
    model.W.data = torch.tensor([[1.0, 0.0], [0.0, 0.7], [0.0, 0.2], [0.5, 0.0]], dtype=torch.float64)
    model.decoder[0].weight = model.W  # orthogonal columns: the exact posterior is diagonal
    weights = model.log_weights(x, 20, rng())
    torch.testing.assert_close(weights, model.exact(x).expand(20, 6))


def test_the_evidence_lower_bound_is_the_mean_weight(model: LinearGaussian, x: torch.Tensor) -> None:
    with torch.no_grad():
        elbo = -torch.stack([model.loss(Batch(x))[0] for _ in range(4000)]).mean()
        torch.testing.assert_close(model.log_weights(x, 20_000, rng()).mean(), elbo, rtol=0, atol=0.02)


def test_the_gap_is_the_divergence_of_the_posteriors(model: LinearGaussian, x: torch.Tensor) -> None:
    """log p(x) − ELBO = KL(q(z|x) ‖ p(z|x)), eq. 1 of the paper, in closed form for Gaussians."""
    mu, logvar = model.posterior(x)
    exact = MultivariateNormal(mu, model.covariance())
    q = MultivariateNormal(mu, torch.diag_embed(logvar.exp()))
    gap = torch.distributions.kl_divergence(q, exact).detach()
    with torch.no_grad():
        elbo = model.log_weights(x, 100_000, rng()).mean(0)
    torch.testing.assert_close(model.exact(x) - elbo, gap, rtol=0, atol=0.01)


def test_the_divergence_from_the_prior_is_that_of_monte_carlo() -> None:
    mu, logvar = torch.randn(3, 2, dtype=torch.float64), torch.randn(3, 2, dtype=torch.float64)
    z = mu + (0.5 * logvar).exp() * torch.randn(200_000, 3, 2, dtype=torch.float64)
    ratio = Normal(mu, (0.5 * logvar).exp()).log_prob(z) - Normal(0.0, 1.0).log_prob(z)
    torch.testing.assert_close(kl_to_standard_normal(mu, logvar), ratio.sum(2).mean(0), rtol=0, atol=0.03)


def by_hand(model: LinearGaussian, x: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """The log weights [k b], one code of one image after the other, from torch's own distributions."""
    mu, logvar = (part.detach() for part in model.posterior(x))
    rows = torch.empty(len(noise), len(x), dtype=torch.float64)
    for k in range(len(noise)):
        for b in range(len(x)):
            sigma = (0.5 * logvar[b]).exp()
            z = mu[b] + sigma * noise[k, b]
            likely = Normal(model.W.detach() @ z, VARIANCE**0.5).log_prob(x[b].flatten()).sum()
            rows[k, b] = likely + Normal(0.0, 1.0).log_prob(z).sum() - Normal(mu[b], sigma).log_prob(z).sum()
    return rows


def test_weights_and_bounds_are_those_of_a_loop(model: LinearGaussian, x: torch.Tensor) -> None:
    noise = torch.randn(5, 6, 2, dtype=torch.float64)
    expected = by_hand(model, x, noise)
    found = log_weights(x, model.posterior(x), noise, model.decoder, model.likelihood)
    torch.testing.assert_close(found.detach(), expected)
    torch.manual_seed(7)
    loss, logs = iwae_loss(x, model.posterior(x), model.decoder, model.likelihood, 5)
    torch.manual_seed(7)
    again = by_hand(model, x, torch.randn(5, 6, 2, dtype=torch.float64))
    torch.testing.assert_close(loss.detach(), -again.exp().mean(0).log().mean())
    share = again.exp() / again.exp().sum(0)
    torch.testing.assert_close(logs["effective_codes"], (1 / share.square().sum(0)).mean())


def test_one_code_is_the_evidence_lower_bound_of_the_same_noise(model: LinearGaussian, x: torch.Tensor) -> None:
    """Both draw the same ε; the KL of the one is sampled at it, so that at μ = 0, σ = 1 both are exactly equal."""
    prior = torch.zeros(6, 2, dtype=torch.float64), torch.zeros(6, 2, dtype=torch.float64)
    for posterior in (prior, model.posterior(x)):
        torch.manual_seed(3)
        elbo, logs = negative_elbo(x, posterior, model.decoder, model.likelihood, 1.0)
        torch.manual_seed(3)
        single, _ = iwae_loss(x, posterior, model.decoder, model.likelihood, 1)
        torch.manual_seed(3)
        mu, logvar = posterior
        z = mu + (0.5 * logvar).exp() * torch.randn(6, 2, dtype=torch.float64)
        sampled = (Normal(mu, (0.5 * logvar).exp()).log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(1).mean()
        torch.testing.assert_close(single - sampled, elbo - logs["kl_nats"])
    torch.manual_seed(3)
    equal = iwae_loss(x, prior, model.decoder, model.likelihood, 1)[0]
    torch.manual_seed(3)
    torch.testing.assert_close(equal, negative_elbo(x, prior, model.decoder, model.likelihood, 1.0)[0])


def test_many_codes_come_in_parts_that_memory_bears(
    model: LinearGaussian, x: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = model.log_weights(x, 11, rng())
    decoded = []
    model.decoder.register_forward_hook(lambda module, given, out: decoded.append(out.numel()))
    monkeypatch.setattr(variational, "_DECODED_VALUES", 4 * x.numel())
    parts = model.log_weights(x, 11, rng())
    assert decoded == [4 * x.numel(), 4 * x.numel(), 3 * x.numel()]
    torch.testing.assert_close(parts, together)


def test_weights_far_below_the_smallest_number_still_give_a_likelihood(model: LinearGaussian, x: torch.Tensor) -> None:
    far = 300 * x.float()
    found = model.float().log_likelihood(far, 50, rng())
    assert torch.isfinite(found).all()
    assert (found < -1000).any()
    assert found.dtype == torch.float64


def test_gradients_of_many_codes_are_those_of_their_shares(model: LinearGaussian, x: torch.Tensor) -> None:
    """Eq. 14 of Burda et al.: each weight's gradient counts by its share."""
    torch.manual_seed(1)
    loss = iwae_loss(x, model.posterior(x), model.decoder, model.likelihood, 4)[0]
    (found,) = torch.autograd.grad(loss, model.W)
    torch.manual_seed(1)
    log_w = log_weights(
        x, model.posterior(x), torch.randn(4, 6, 2, dtype=torch.float64), model.decoder, model.likelihood
    )
    (expected,) = torch.autograd.grad(-(log_w.detach().softmax(0) * log_w).sum(0).mean(), model.W)
    torch.testing.assert_close(found, expected)
