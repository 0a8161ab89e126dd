import torch
from torch.distributions import Independent, Normal, kl_divergence

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.models.vae import VAE
from genpipe.nn.variational import kl_to_standard_normal

SPEC = DataSpec(1, 8, 8)


def small(**knobs: float) -> VAE:
    return VAE(VAE.Config(architecture="mlp", widths=[16], latent_dim=3, **knobs), SPEC)


def test_the_kl_is_the_one_of_two_gaussians() -> None:
    mu, logvar = torch.randn(5, 3), torch.randn(5, 3)
    posterior = Independent(Normal(mu, (0.5 * logvar).exp()), 1)
    prior = Independent(Normal(torch.zeros(5, 3), torch.ones(5, 3)), 1)
    torch.testing.assert_close(kl_to_standard_normal(mu, logvar), kl_divergence(posterior, prior))


def test_the_loss_is_reconstruction_and_weighted_kl() -> None:
    x = torch.rand(4, 1, 8, 8) * 2 - 1
    model = small(kl_weight=7.0)
    loss, logs = model.loss(Batch(x))
    torch.testing.assert_close(loss.detach(), logs["reconstruction_nats"] + 7.0 * logs["kl_nats"])
