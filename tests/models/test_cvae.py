from collections.abc import Callable

import pytest
import torch

from genpipe.config.training import Optim
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.models.cvae import CVAE
from genpipe.nn.variational import kl_to_standard_normal

SPEC = DataSpec(1, 8, 8, ("a", "b", "c"))
SMALL = {"architecture": "mlp", "widths": [16], "latent_dim": 2}


def test_it_draws_the_class_that_is_asked_for(taught: Callable[..., Generative]) -> None:
    model = taught(CVAE, {**SMALL, "decoder_variance": 1.0}, steps=100, optim=Optim(lr=1e-2))
    assert isinstance(model, CVAE)
    y = torch.arange(40) % 2
    with torch.inference_mode():
        gray = model.sample_of(y, torch.Generator().manual_seed(0)).mean((1, 2, 3))
    assert ((gray > 0) == (y == 1)).all()


@pytest.mark.parametrize("body", ["mlp", "conv"])
def test_the_posterior_and_the_mean_of_the_images_depend_on_the_label(body: str) -> None:
    model = CVAE(CVAE.Config(**{**SMALL, "architecture": body}), SPEC).eval()
    x, z = torch.rand(4, *SPEC.shape), torch.randn(4, 2)
    one, other = torch.zeros(4, dtype=torch.int64), torch.ones(4, dtype=torch.int64)
    assert not torch.allclose(model.posterior(x, one)[0], model.posterior(x, other)[0])
    assert not torch.allclose(model.decode(z, one), model.decode(z, other))


def test_the_loss_is_the_bound_given_the_labels() -> None:
    """Both parts against their definitions, for a posterior so narrow that its code is its mean."""
    model = CVAE(CVAE.Config(**SMALL, decoder_variance=0.3, kl_weight=7.0), SPEC)
    x, y = torch.rand(3, *SPEC.shape), torch.tensor([0, 1, 2])
    mu, logvar = model.posterior(x, y)[0].detach(), torch.full((3, 2), -60.0)
    model.posterior = lambda given, labels: (mu, logvar)
    loss, logs = model.loss(Batch(x, y))
    reconstruction = model.likelihood.nll(x, model.decoder(mu, y)).mean()
    torch.testing.assert_close(logs["reconstruction_nats"], reconstruction.detach())
    torch.testing.assert_close(loss, reconstruction + 7.0 * kl_to_standard_normal(mu, logvar).mean())
