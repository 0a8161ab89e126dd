"""The game with patches and a condition: what D is shown, what it costs, and how it is augmented."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import relu

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Images
from genpipe.nn import penalties
from genpipe.nn.augmentation import ADA, DiffAugment
from genpipe.nn.feature_matching import feature_matching
from genpipe.nn.patch_discriminator import PatchDiscriminator
from genpipe.nn.patch_gan import PatchGAN, PatchGANConfig


class Painter(PatchGAN):
    """Its images are its source, times a number."""

    def __init__(self, config: PatchGANConfig, spec: DataSpec) -> None:
        size = (spec.height, spec.width)
        super().__init__(config, torch.nn.Conv2d(1, 1, 1), PatchDiscriminator(config, 2 * spec.channels, size))

    def fake(self, batch: Batch) -> Images:
        return self.generator(batch.fields["source"])

    def discriminator_input(self, x: Images, batch: Batch) -> Tensor:
        return torch.cat([x, batch.fields["source"]], dim=1)


def painter(**knobs: object) -> Painter:
    torch.manual_seed(0)
    return Painter(PatchGANConfig(discriminator_channels=2, discriminator_halvings=1, **knobs), DataSpec(1, 8, 8))


def batch() -> Batch:
    torch.manual_seed(1)
    return Batch(torch.rand(3, 1, 8, 8) * 2 - 1, None, {"source": torch.rand(3, 1, 8, 8) * 2 - 1})


def test_the_losses_are_those_of_a_loop_over_patches() -> None:
    model, given = painter(loss="hinge", l1_weight=7.0, feature_matching_weight=3.0, discriminator_scales=2), batch()
    fake, source = model.fake(given).detach(), given.fields["source"]
    real, generated = (model.discriminator.judge(torch.cat([x, source], 1)) for x in (given.x, fake))
    of_scales = [[relu(1 - real.logits[:, 0, s]).mean(), relu(1 + generated.logits[:, 0, s]).mean()] for s in range(2)]
    loss, _ = model.discriminator_loss(given)
    torch.testing.assert_close(loss, torch.stack([torch.stack(pair).sum() for pair in of_scales]).mean())
    loss, logs = model.generator_loss(given)
    terms = {
        "l1": 7 * (fake - given.x).abs().mean(),
        "feature_matching": 3 * feature_matching(real.features, generated.features),
    }
    for name, value in terms.items():
        torch.testing.assert_close(logs[name], value.detach())
    torch.testing.assert_close(loss, sum(terms.values()) - generated.logits.mean())


def test_a_discriminator_that_is_shown_another_source_says_something_else() -> None:
    model, given = painter(), batch()
    other = Batch(given.x, None, {"source": given.fields["source"].flip(0)})
    assert not torch.allclose(model.judged(given.x, given).logits, model.judged(given.x, other).logits)


@pytest.mark.parametrize("kind", ["r1", "wgan-gp", "consistency"])
def test_penalties_hold_for_patches(kind: str) -> None:
    loss, logs = painter(penalty=kind, l1_weight=0.0).discriminator_loss(batch())
    assert loss.isfinite()
    assert logs["penalty"] > 0


def test_the_gradient_of_patches_is_that_of_their_mean() -> None:
    x = torch.randn(2, 1, 4, 4)
    found = penalties.gradient_norm(lambda at: 3 * at, x)
    torch.testing.assert_close(found, torch.full((2,), 3 / 4))


@pytest.mark.parametrize("augment", [DiffAugment(), ADA(1)], ids=["diffaugment", "ada"])
def test_maps_move_with_their_images_and_keep_their_values(augment: DiffAugment | ADA) -> None:
    if isinstance(augment, ADA):
        augment.p.fill_(1.0)
    torch.manual_seed(0)
    x = torch.rand(6, 3, 16, 16) * 2 - 1
    plain = torch.full_like(x, 0.25)
    found = augment(torch.cat([plain, x], dim=1), 3)
    assert found.shape == (6, 6, 16, 16)
    assert (found[:, :3] - 0.25).abs().max() > 0.05, "colors of images change"
    assert found[:, 3:].abs().max() <= 1 + 1e-5, "those of maps do not"
    twice = augment(torch.cat([x, x], dim=1), 6)
    torch.testing.assert_close(twice[:, :3], twice[:, 3:], rtol=1e-4, atol=1e-4)


def test_the_sign_of_an_image_is_the_mean_over_its_patches() -> None:
    augment = ADA(1000)
    augment.update(torch.tensor([1.0, 1, 1, -1]).view(1, 1, 1, 2, 2).expand(5, -1, -1, -1, -1))
    assert augment.signs.item() == pytest.approx(2.5)
    assert augment.images.item() == 5


def test_layers_are_not_compared_where_images_are_augmented() -> None:
    with pytest.raises(ValueError, match="feature_matching_weight"):
        PatchGANConfig(feature_matching_weight=1.0, augment="diffaugment")
