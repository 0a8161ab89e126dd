import torch

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.models.iwae import IWAE
from genpipe.nn.variational import log_weights

SPEC = DataSpec(1, 8, 8, levels=2)


def small(k: int) -> IWAE:
    torch.manual_seed(0)
    config = IWAE.Config(architecture="mlp", widths=[16], latent_dim=3, likelihood="bernoulli", importance_samples=k)
    return IWAE(config, SPEC)


def test_the_loss_is_the_negative_log_of_the_mean_weight() -> None:
    model, x = small(4), (torch.rand(6, *SPEC.shape) > 0.5) * 2.0 - 1
    torch.manual_seed(2)
    loss, _ = model.loss(Batch(x))
    torch.manual_seed(2)
    weights = log_weights(x, model.posterior(x), torch.randn(4, 6, 3), model.decoder, model.likelihood)
    torch.testing.assert_close(loss, -weights.double().exp().mean(0).log().mean().float())


def test_the_bound_rises_with_the_number_of_codes() -> None:
    x = (torch.rand(32, *SPEC.shape) > 0.5) * 2.0 - 1
    with torch.no_grad():
        losses = [small(k).loss(Batch(x))[0] for k in (1, 5, 50)]
    assert losses[0] > losses[1] > losses[2]
