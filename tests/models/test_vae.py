import torch
from torch.distributions import Independent, Normal, kl_divergence

from genpipe.interfaces import Batch, ImageSpec
from genpipe.models.vae import VAE
from genpipe.nn.variational import kl_to_standard_normal, negative_log_likelihood

SPEC = ImageSpec(1, 8, 8)


def small(**knobs: float) -> VAE:
    return VAE(VAE.Config(body="mlp", widths=[16], latent_dim=3, **knobs), SPEC)


def test_the_kl_is_the_one_of_two_gaussians() -> None:
    mu, logvar = torch.randn(5, 3), torch.randn(5, 3)
    posterior = Independent(Normal(mu, (0.5 * logvar).exp()), 1)
    prior = Independent(Normal(torch.zeros(5, 3), torch.ones(5, 3)), 1)
    torch.testing.assert_close(kl_to_standard_normal(mu, logvar), kl_divergence(posterior, prior))


def test_the_likelihood_is_the_gaussian_one_in_nats() -> None:
    x, mean = torch.rand(4, 1, 8, 8), torch.rand(4, 1, 8, 8)
    expected = -Normal(mean, 0.3**0.5).log_prob(x).sum((1, 2, 3))
    torch.testing.assert_close(negative_log_likelihood(x, mean, 0.3), expected)


def test_the_loss_is_reconstruction_and_weighted_kl() -> None:
    x = torch.rand(4, 1, 8, 8) * 2 - 1
    model = small(kl_weight=7.0)
    loss, logs = model.loss(Batch(x))
    torch.testing.assert_close(loss.detach(), logs["reconstruction_nats"] + 7.0 * logs["kl_nats"])


def test_the_bound_stays_below_an_importance_weighted_estimate_of_the_likelihood() -> None:
    model, x = small(decoder_variance=1.0), torch.rand(16, 1, 8, 8) * 2 - 1
    with torch.no_grad():
        bound = -torch.stack([model.loss(Batch(x))[0] for _ in range(200)]).mean()
        mu, logvar = model.posterior(x)
        posterior, prior = Normal(mu, (0.5 * logvar).exp()), Normal(0.0, 1.0)
        weights = []
        for _ in range(500):
            z = posterior.sample()
            log_ratio = prior.log_prob(z).sum(1) - posterior.log_prob(z).sum(1)
            weights.append(log_ratio - negative_log_likelihood(x, model.decode(z), 1.0))
        estimate = (torch.stack(weights).logsumexp(0) - torch.log(torch.tensor(500.0))).mean()
    assert bound < estimate
