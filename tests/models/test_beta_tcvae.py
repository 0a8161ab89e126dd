import torch

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.models.beta_tcvae import BetaTCVAE

SPEC = DataSpec(1, 8, 8)


def small(**knobs: float) -> BetaTCVAE:
    torch.manual_seed(0)
    return BetaTCVAE(
        BetaTCVAE.Config(architecture="mlp", widths=[16], latent_dim=3, training_images=100, **knobs), SPEC
    )


def test_the_loss_is_reconstruction_and_the_weighted_parts() -> None:
    x = torch.rand(6, *SPEC.shape) * 2 - 1
    loss, logs = small(mi_weight=0.5, tc_weight=7.0, marginal_kl_weight=2.0).loss(Batch(x))
    expected = (
        logs["reconstruction_nats"]
        + 0.5 * logs["index_code_mi_nats"]
        + 7 * logs["total_correlation_nats"]
        + 2 * logs["marginal_kl_nats"]
    )
    torch.testing.assert_close(loss.detach(), expected)


def test_with_weights_of_one_it_is_the_bound_of_the_same_noise() -> None:
    x = torch.rand(6, *SPEC.shape) * 2 - 1
    model = small(mi_weight=1.0, tc_weight=1.0, marginal_kl_weight=1.0)
    torch.manual_seed(5)
    loss, _ = model.loss(Batch(x))
    torch.manual_seed(5)
    noise = torch.randn(6, 3)
    mu, logvar = model.posterior(x)
    z = mu + (0.5 * logvar).exp() * noise
    kl = 0.5 * (z.square() - noise.square() - logvar).sum(1)
    torch.testing.assert_close(loss, (model.likelihood.nll(x, model.decoder(z)) + kl).mean())
