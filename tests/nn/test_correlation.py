from math import log

import pytest
import torch
from torch.distributions import Normal

from genpipe.nn.correlation import kl_decomposition, log_image_weights
from genpipe.nn.variational import kl_to_standard_normal


def of_gaussian(n: int, correlation: float, noise: float = 0.3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Codes and posteriors whose aggregate is about a Gaussian of two numbers that are correlated so."""
    factor = torch.linalg.cholesky(torch.tensor([[1.0, correlation], [correlation, 1.0]], dtype=torch.float64))
    mu = torch.randn(n, 2, dtype=torch.float64) @ factor.T
    logvar = torch.full((n, 2), 2 * log(noise), dtype=torch.float64)
    return mu + noise * torch.randn(n, 2, dtype=torch.float64), mu, logvar


@pytest.mark.parametrize("sampling", ["weighted", "stratified"])
def test_the_parts_sum_to_the_sampled_kl(sampling: str) -> None:
    z, mu, logvar = of_gaussian(50, 0.5)
    sampled = (Normal(mu, (0.5 * logvar).exp()).log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(1).mean()
    parts = kl_decomposition(z, (mu, logvar), 5000, sampling)
    torch.testing.assert_close(sum(parts), sampled)


def test_over_many_codes_they_sum_to_the_kl() -> None:
    z, mu, logvar = of_gaussian(3000, 0.5)
    together = sum(kl_decomposition(z, (mu, logvar), 3000))
    torch.testing.assert_close(together, kl_to_standard_normal(mu, logvar).mean(), rtol=0, atol=0.1)


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9])
def test_the_parts_are_those_of_a_gaussian(correlation: float) -> None:
    """With every image in the batch q(z) is known; it is about N(0, [[1, ρ], [ρ, 1]] + 0.09 · I)."""
    z, mu, logvar = of_gaussian(4000, correlation)
    mi, tc, marginal = kl_decomposition(z, (mu, logvar), 4000)
    variance = 1 + 0.3**2
    covariance = torch.tensor([[variance, correlation], [correlation, variance]], dtype=torch.float64)
    expected = 0.5 * (2 * log(variance) - torch.logdet(covariance))
    torch.testing.assert_close(tc, expected, rtol=0, atol=0.06)
    each = 0.5 * (variance - 1 - log(variance))
    torch.testing.assert_close(marginal, torch.tensor(2 * each, dtype=torch.float64), rtol=0, atol=0.08)
    expected = 0.5 * (torch.logdet(covariance) - 2 * log(0.3**2))
    torch.testing.assert_close(mi, expected, rtol=0, atol=0.12)


def test_stratified_weights_are_those_of_all_images_on_average() -> None:
    """q(z) of a code by all 40 images, against the mean over batches of its image and 7 others drawn at random."""
    z, mu, logvar = of_gaussian(40, 0.3)
    q = Normal(mu, (0.5 * logvar).exp()).log_prob(z[0]).sum(1)
    exact = q.exp().mean()
    weights = log_image_weights(8, 40, "stratified").double()[0]
    estimates = []
    for _ in range(4000):
        others = 1 + torch.randperm(39)[:7]
        estimates.append((q[torch.cat([torch.tensor([0]), others])] + weights).exp().sum())
    error = torch.stack(estimates).std() / 4000**0.5
    assert abs(torch.stack(estimates).mean() - exact) < 4 * error


def test_weights_of_a_batch() -> None:
    torch.testing.assert_close(log_image_weights(4, 100, "stratified").exp().sum(1), torch.ones(4))
    assert log_image_weights(4, 100, "stratified").exp().diagonal().tolist() == pytest.approx([0.01] * 4)
    assert log_image_weights(4, 100, "weighted").exp().unique().tolist() == pytest.approx([1 / 400])
    assert log_image_weights(1, 100, "stratified").tolist() == [[pytest.approx(-log(100))]]
    whole = log_image_weights(50, 50, "stratified").exp()
    torch.testing.assert_close(whole, torch.full((50, 50), 1 / 50))
