import torch

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.models.denoising_vae import DenoisingVAE
from genpipe.nn.variational import kl_to_standard_normal

SPEC = DataSpec(1, 8, 8)


def test_the_bound_is_that_of_the_clean_image_under_the_posterior_of_the_corrupted_one() -> None:
    """Both parts against their definitions, where corruption blackens everything and the code is its mean."""
    knobs = DenoisingVAE.Config(
        architecture="mlp", widths=[16], latent_dim=2, amount=1.0, decoder_variance=0.3, kl_weight=2.0
    )
    model, x = DenoisingVAE(knobs, SPEC), torch.rand(3, *SPEC.shape)
    seen = []
    mu, logvar = torch.randn(3, 2), torch.full((3, 2), -60.0)
    model.posterior = lambda given: seen.append(given) or (mu, logvar)  # type: ignore[func-returns-value]
    loss, logs = model.loss(Batch(x))
    assert torch.equal(seen[0], torch.full_like(x, -1.0))
    reconstruction = -torch.distributions.Normal(model.decode(mu), 0.3**0.5).log_prob(x).flatten(1).sum(1).mean()
    torch.testing.assert_close(logs["reconstruction_nats"], reconstruction.detach())
    torch.testing.assert_close(loss, reconstruction + 2.0 * kl_to_standard_normal(mu, logvar).mean())
