"""Discriminators of patches: what a patch is, scales, features."""

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d

from genpipe.errors import Unsuitable
from genpipe.nn.feature_matching import feature_matching
from genpipe.nn.patch_discriminator import PatchConfig, PatchDiscriminator, receptive_field


@pytest.mark.parametrize(("halvings", "pixels"), [(0, 1), (1, 16), (2, 34), (3, 70)])
def test_a_patch_is_what_a_logit_has_a_gradient_of(halvings: int, pixels: int) -> None:
    config = PatchConfig(discriminator_channels=2, discriminator_halvings=halvings, discriminator_norm="none")
    net, x = PatchDiscriminator(config, 1, (96, 96)), torch.randn(1, 1, 96, 96, requires_grad=True)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.uniform_(layer.weight, 0.1, 0.2)
    logits = net(x)
    assert logits.shape == (1, 1, 1, 96 >> halvings, 96 >> halvings)
    middle = logits.shape[-1] // 2
    logits[0, 0, 0, middle, middle].backward()
    seen = x.grad[0, 0] != 0
    assert receptive_field(halvings) == pixels
    assert [int(seen.any(dim).sum()) for dim in (0, 1)] == [pixels, pixels]


def test_further_fields_are_those_of_the_paper() -> None:
    assert [receptive_field(n) for n in (4, 5)] == [142, 286]


@pytest.mark.parametrize("size", [(8, 8), (9, 14), (32, 16)])
@pytest.mark.parametrize("halvings", [0, 1, 3])
def test_any_size_is_judged_and_every_image_by_itself(size: tuple[int, int], halvings: int) -> None:
    config = PatchConfig(discriminator_channels=2, discriminator_halvings=halvings)
    net, x = PatchDiscriminator(config, 3, size), torch.randn(3, 3, *size)
    with torch.inference_mode():
        logits = net(x)
        assert logits.shape == (3, 1, 1, size[0] >> halvings, size[1] >> halvings)
        for i in range(3):
            torch.testing.assert_close(net(x[i : i + 1])[0], logits[i], rtol=0, atol=1e-5)


def test_scales_are_discriminators_of_smaller_images_and_weigh_alike() -> None:
    config = PatchConfig(discriminator_channels=2, discriminator_halvings=1, discriminator_scales=3)
    net, x = PatchDiscriminator(config, 1, (32, 32)), torch.randn(2, 1, 32, 32)
    logits = net(x)
    single = PatchConfig(discriminator_channels=2, discriminator_halvings=1)
    means = []
    for scale in range(3):
        alone = PatchDiscriminator(single, 1, (32 >> scale, 32 >> scale))
        alone.scales[0].load_state_dict(net.scales[scale].state_dict())
        means.append(alone(avg_pool2d(x, 2**scale) if scale else x).mean((1, 2, 3, 4)))
    torch.testing.assert_close(logits.mean((1, 2, 3, 4)), torch.stack(means).mean(0))


def test_features_are_those_on_the_way_to_the_logits() -> None:
    config = PatchConfig(discriminator_channels=2, discriminator_halvings=2, discriminator_scales=2)
    net, x = PatchDiscriminator(config, 3, (16, 16)), torch.randn(2, 3, 16, 16)
    found = net.judge(x)
    assert [tuple(of.shape[1:]) for of in found.features] == [
        (2, 8, 8), (4, 4, 4), (8, 4, 4), (2, 4, 4), (4, 2, 2), (8, 2, 2),
    ]  # fmt: skip
    assert torch.equal(found.logits, net(x))
    torch.testing.assert_close(net.scales[0][3](found.features[2]), found.logits[:, :, 0])


def test_too_small_an_image_is_refused() -> None:
    with pytest.raises(Unsuitable, match=r"16 pixels a side.*8×32"):
        PatchDiscriminator(PatchConfig(discriminator_halvings=3, discriminator_scales=2), 1, (8, 32))


def test_spectral_norm_is_beside_the_norm_of_features() -> None:
    net = PatchDiscriminator(PatchConfig(discriminator_channels=4, spectral_norm=True), 3, (16, 16))
    for _ in range(60):
        net(torch.randn(2, 3, 16, 16))
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    sigmas = [float(torch.linalg.svdvals(layer.weight.detach().flatten(1))[0]) for layer in layers]
    assert sigmas == pytest.approx([1.0] * 4, abs=5e-3)
    assert any(isinstance(layer, nn.InstanceNorm2d) for layer in net.modules())


def test_feature_matching_is_the_mean_over_layers_of_mean_differences() -> None:
    real = [torch.zeros(2, 1, 2, 2), torch.zeros(2, 3, 1, 1, requires_grad=True)]
    fake = [torch.full((2, 1, 2, 2), 3.0), torch.full((2, 3, 1, 1), -1.0, requires_grad=True)]
    loss = feature_matching(real, fake)
    assert loss.item() == 2.0
    loss.backward()
    assert real[1].grad is None
    assert fake[1].grad.unique().tolist() == pytest.approx([-1 / 12])
