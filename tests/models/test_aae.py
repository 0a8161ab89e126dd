import math

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.models.aae import AAE

SPEC = DataSpec(1, 8, 8)


def model() -> AAE:
    return AAE(AAE.Config(architecture="mlp", widths=[16], latent_dim=3, critic_widths=[8]), SPEC)


def batch() -> Batch:
    return Batch(torch.rand(6, *SPEC.shape) * 2 - 1)


def test_the_losses_are_cross_entropies_with_swapped_labels() -> None:
    aae, given = model(), batch()
    codes = aae.encode(given.x)
    torch.manual_seed(7)
    prior = torch.randn(6, 3)
    real, fake = aae.critic(prior), aae.critic(codes)
    ones, zeros = torch.ones(6, 1), torch.zeros(6, 1)
    expected = binary_cross_entropy_with_logits(real, ones) + binary_cross_entropy_with_logits(fake, zeros)
    torch.manual_seed(7)
    loss, logs = aae.critic_loss(given)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(logs["d_prior"], real.sigmoid().mean().detach())
    torch.testing.assert_close(logs["d_codes"], fake.sigmoid().mean().detach())
    torch.testing.assert_close(aae.generator_loss(given)[0], binary_cross_entropy_with_logits(fake, ones))
    torch.testing.assert_close(aae.loss(given)[0], (given.x - aae.decode(codes)).square().sum((1, 2, 3)).mean())


def test_a_critic_that_knows_nothing_loses_twice_log_2() -> None:
    aae = model()
    torch.nn.init.zeros_(aae.critic[-1].weight)
    torch.nn.init.zeros_(aae.critic[-1].bias)
    torch.testing.assert_close(aae.critic_loss(batch())[0].item(), 2 * math.log(2))


def test_the_critic_teaches_the_encoder_and_the_encoder_no_critic() -> None:
    aae, given = model(), batch()
    reconstruction, critic, generator = aae.phases()
    assert set(reconstruction.module.parameters()) == {*aae.encoder.parameters(), *aae.decoder.parameters()}
    assert (critic.module, generator.module) == (aae.critic, aae.encoder)
    aae.critic_loss(given)[0].backward()
    assert all(p.grad is None for p in aae.encoder.parameters())
    aae.generator_loss(given)[0].backward()
    assert all(p.grad is not None for p in aae.encoder.parameters())
    assert all(p.grad is None for p in aae.decoder.parameters())
