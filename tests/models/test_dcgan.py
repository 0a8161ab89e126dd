import pytest
import torch
from torch import nn

from genpipe.errors import Unsuitable
from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.models.dcgan import DCGAN
from genpipe.nn.strided import doublings, first_size

SPEC = DataSpec(1, 32, 32)


def layers(module: nn.Module, kind: type) -> list[nn.Module]:
    return [m for m in module.modules() if isinstance(m, kind)]


def test_it_keeps_the_guidelines_of_the_paper() -> None:
    model = DCGAN(DCGAN.Config(generator_channels=8, discriminator_channels=8), SPEC)
    assert not layers(model, nn.Linear), "no dense layers"
    assert not layers(model, nn.MaxPool2d) + layers(model, nn.AvgPool2d), "strides, no pooling"
    assert len(layers(model.generator, nn.ReLU)) == len(layers(model.generator, nn.BatchNorm2d)) == 3
    assert len(layers(model.generator, nn.Tanh)) == 1
    assert len(layers(model.discriminator, nn.LeakyReLU)) == 3
    assert len(layers(model.discriminator, nn.BatchNorm2d)) == 2, "none at the input"
    assert {m.negative_slope for m in layers(model.discriminator, nn.LeakyReLU)} == {0.2}


def test_weights_start_near_zero() -> None:
    model = DCGAN(DCGAN.Config(generator_channels=32), SPEC)
    weights = torch.cat([m.weight.flatten() for m in layers(model, nn.Conv2d) + layers(model, nn.ConvTranspose2d)])
    assert abs(float(weights.detach().std()) - 0.02) < 0.001


@pytest.mark.parametrize(
    ("sides", "nearest"), [((30, 30), "32×32"), ((4, 4), "8×8"), ((17, 25), "16×24"), ((62, 100), "64×96")]
)
def test_images_that_it_cannot_draw_are_refused(sides: tuple[int, int], nearest: str) -> None:
    with pytest.raises(Unsuitable, match=rf"{sides[0]}×{sides[1]} cannot be halved so; nearest: {nearest}\."):
        DCGAN(DCGAN.Config(), DataSpec(1, *sides))
    doublings(DataSpec(1, *map(int, nearest.split("×"))))


@pytest.mark.parametrize("first", [(4, 4), (4, 9), (6, 4), (7, 7), (5, 30)])
@pytest.mark.parametrize("times", [1, 2, 4])
def test_the_size_is_that_of_the_first_features_doubled(first: tuple[int, int], times: int) -> None:
    spec = DataSpec(3, first[0] << times, first[1] << times)
    assert (first_size(spec), doublings(spec)) == (first, times)
    model = DCGAN(DCGAN.Config(generator_channels=2, discriminator_channels=3, latent_dim=5), spec).eval()
    x = model.sample(2, torch.Generator().manual_seed(0))
    assert x.shape == (2, *spec.shape)
    assert model.discriminator(x).shape == (2, 1)


def test_the_losses_are_those_of_the_game() -> None:
    """Against the definition, with D(x) = sigmoid(logit)."""
    real, fake = torch.randn(64, 1), torch.randn(64, 1)
    small = {"generator_channels": 2, "discriminator_channels": 3, "latent_dim": 5}
    batch = Batch(torch.zeros(64, 1, 8, 8))
    value = real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean()
    of_both = -(real - fake.mean()).sigmoid().log().mean() - (1 - (fake - real.mean()).sigmoid()).log().mean()
    for kind, of_d, of_g in (
        ("non-saturating", -value, -fake.sigmoid().log().mean()),
        ("minimax", -value, (1 - fake.sigmoid()).log().mean()),
        ("relativistic-average", of_both, None),
    ):
        model = DCGAN(DCGAN.Config(**small, loss=kind), DataSpec(1, 8, 8))
        answers = iter([real, fake])
        model.discriminator.forward = lambda _, answers=answers: next(answers)
        torch.testing.assert_close(model.discriminator_loss(batch)[0], of_d)
        if of_g is not None:
            model.discriminator.forward = lambda _: fake
            torch.testing.assert_close(model.generator_loss(batch)[0], of_g)
