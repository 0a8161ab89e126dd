"""What sets each of the adversarial models apart from the others."""

from collections.abc import Callable

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn.functional import cross_entropy, relu

from genpipe.config.training import Optim
from genpipe.errors import Unsuitable
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.models.biggan import BigGAN
from genpipe.models.sagan import SAGAN
from genpipe.models.sngan import SNGAN
from genpipe.models.wgan_gp import WGANGP
from genpipe.nn.attention import SelfAttention
from genpipe.nn.modulation import ConditionalNorm
from genpipe.nn.orthogonal import kernels, orthogonality
from genpipe.nn.spectral import LAYERS

SPEC = DataSpec(1, 16, 16, ("a", "b", "c"))
SMALL = {"latent_dim": 8, "generator_channels": 4, "discriminator_channels": 4}
BATCH = Batch(torch.rand(6, 1, 16, 16) * 2 - 1, torch.tensor([0, 1, 2, 0, 1, 2]))


def sigmas(module: nn.Module) -> list[float]:
    """The largest singular value of every layer, as the module uses it after some passes."""
    found = []
    for layer in module.modules():
        if isinstance(layer, LAYERS):
            for _ in range(100):
                weight = layer.weight
            rows = weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight
            found.append(float(torch.linalg.svdvals(rows.detach().flatten(1))[0]))
    return found


def test_the_critic_is_penalised_and_has_no_batch_norm() -> None:
    model = WGANGP(WGANGP.Config(**SMALL), SPEC)
    loss, logs = model.discriminator_loss(BATCH)
    assert set(logs) == {"d_real", "d_fake", "critic_estimate", "penalty"}
    torch.testing.assert_close(loss.detach(), logs["penalty"] - logs["critic_estimate"])
    assert not [m for m in model.discriminator.modules() if isinstance(m, nn.BatchNorm2d)]
    assert [phase.repeats for phase in model.phases()] == [5, 1]
    with pytest.raises(ValidationError, match="discriminator_norm"):
        WGANGP.Config(discriminator_norm="batch")


def test_every_layer_of_the_sngan_discriminator_has_sigma_1() -> None:
    model = SNGAN(SNGAN.Config(**SMALL), SPEC)
    assert sigmas(model.discriminator) == pytest.approx([1] * 3, abs=5e-3)
    assert max(sigmas(model.generator)) < 0.9, "near zero, as those of DCGAN"
    loss, _ = model.eval().discriminator_loss(BATCH)
    torch.manual_seed(3)
    loss, _ = model.discriminator_loss(BATCH)
    torch.manual_seed(3)
    fake = model.generator(torch.randn(6, 8))
    real, fake = model.discriminator(BATCH.x), model.discriminator(fake)
    torch.testing.assert_close(loss, relu(1 - real).mean() + relu(1 + fake).mean())


def test_the_sagan_has_attention_and_sigma_1_in_both_players() -> None:
    model = SAGAN(SAGAN.Config(**SMALL), SPEC)
    for player in (model.generator, model.discriminator):
        assert len([m for m in player.modules() if isinstance(m, SelfAttention)]) == 1
        assert sigmas(player) == pytest.approx([1] * len(sigmas(player)), abs=5e-3)
    with pytest.raises(Unsuitable, match="4, 8, 16 pixels"):
        SAGAN(SAGAN.Config(**SMALL, attention_size=32), SPEC)


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (32, 3), (64, 1)])
@pytest.mark.parametrize("model_class", [WGANGP, SNGAN, SAGAN, BigGAN])
def test_the_size_is_a_number(model_class: type[Generative], size: int, channels: int) -> None:
    spec = DataSpec(channels, size, size, SPEC.classes)
    model = model_class(
        model_class.Config(**{**SMALL, "generator_channels": 2, "discriminator_channels": 2}), spec
    ).eval()
    assert model.sample(2, torch.Generator().manual_seed(0)).shape == (2, *spec.shape)


def test_each_block_of_biggan_hears_the_class_and_its_part_of_the_code() -> None:
    model = BigGAN(BigGAN.Config(**SMALL, embedding_dim=6), SPEC).eval()
    parts = [m for m in model.generator.modules() if isinstance(m, ConditionalNorm)]
    assert {m.scale.in_features for m in parts} == {6 + 2}, "8 numbers: 4 for the seed, 2 for each of two blocks"
    assert model.generator.seed_dim == 4
    z, y = torch.randn(1, 8), torch.tensor([0])
    for place in range(8):
        moved = z.clone()
        moved[0, place] += 1
        assert not torch.equal(model.generator(z, y), model.generator(moved, y)), place
    assert not torch.equal(model.generator(z, y), model.generator(z, y + 1))
    with pytest.raises(Unsuitable, match="Make it 3 or more"):
        BigGAN(BigGAN.Config(**{**SMALL, "latent_dim": 2}), SPEC)


def test_biggan_starts_orthogonal_and_is_kept_so_by_its_generators_loss() -> None:
    model = BigGAN(BigGAN.Config(**SMALL, orthogonal_weight=0.5), SPEC)
    assert float(orthogonality(kernels(model))) == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        for weight in kernels(model.generator):
            weight += 0.1 * torch.randn_like(weight)
    _, logs = model.generator_loss(BATCH)
    assert float(logs["orthogonality"]) == pytest.approx(0.5 * float(orthogonality(kernels(model.generator))), rel=1e-4)
    assert "orthogonality" not in BigGAN(BigGAN.Config(**SMALL, orthogonal_weight=0.0), SPEC).generator_loss(BATCH)[1]


def test_an_auxiliary_head_lets_both_players_care_for_the_class() -> None:
    model = BigGAN(BigGAN.Config(**SMALL, head="auxiliary", orthogonal_weight=0.0), SPEC).eval()
    of_real = model.discriminator(BATCH.x, BATCH.y)
    assert of_real.shape == (6, 4)
    assert torch.equal(of_real, model.discriminator(BATCH.x, 2 - BATCH.y)), "D is not told the class"
    for loss, images in ((model.discriminator_loss, 2), (model.generator_loss, 1)):
        torch.manual_seed(4)
        _, logs = loss(BATCH)
        torch.manual_seed(4)
        fake = model.discriminator(model.generator(torch.randn(6, 8), BATCH.y), BATCH.y)
        expected = sum(cross_entropy(said[:, 1:], BATCH.y) for said in (fake, of_real)[:images])
        torch.testing.assert_close(logs["classes"], expected.detach())


@pytest.mark.parametrize("head", ["projection", "auxiliary"])
def test_biggan_draws_the_class_that_is_asked_for(taught: Callable[..., Generative], head: str) -> None:
    model = taught(BigGAN, {**SMALL, "head": head}, steps=60, optim=Optim(lr=2e-3, betas=(0.0, 0.99)))
    assert isinstance(model, BigGAN)
    y = torch.arange(40) % 2
    with torch.inference_mode():
        gray = model.sample_of(y, torch.Generator().manual_seed(0)).mean((1, 2, 3))
    assert ((gray > 0) == (y == 1)).float().mean() > 0.95
