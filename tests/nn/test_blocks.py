"""Blocks of generators and discriminators against plain loops."""

from math import exp, sqrt

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, interpolate

from genpipe.nn.attention import SelfAttention
from genpipe.nn.heads import AuxiliaryHead, PlainHead, ProjectionHead
from genpipe.nn.modulation import PixelNorm, adaptive_instance_norm, conditional_batch_norm
from genpipe.nn.progressive import MinibatchStdDev, UpsampleConv2d, equalized_lr


def test_attention_starts_as_the_identity_and_learns_to_look() -> None:
    block, x = SelfAttention(16), torch.randn(2, 16, 4, 4)
    assert torch.equal(block(x), x)
    block(x).square().sum().backward()
    assert block.gamma.grad.abs() > 0


def test_attention_is_a_mean_over_places_weighed_by_likeness() -> None:
    block, x = SelfAttention(8), torch.randn(1, 8, 4, 4)
    nn.init.constant_(block.gamma, 0.7)
    query, key, value = (made(x)[0] for made in (block.query, block.key, block.value))
    cells = [(i, j) for i in (0, 2) for j in (0, 2)]
    keys, values = ([made[:, i : i + 2, j : j + 2].amax((1, 2)) for i, j in cells] for made in (key, value))
    expected = x.clone()
    for i in range(4):
        for j in range(4):
            likeness = [exp(float(query[:, i, j] @ k)) for k in keys]
            o = sum(w / sum(likeness) * v for w, v in zip(likeness, values, strict=True))
            expected[0, :, i, j] += 0.7 * block.out.weight[:, :, 0, 0] @ o
    torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-5)


def test_class_conditional_batch_norm_has_a_scale_and_a_shift_a_class() -> None:
    norm, x, y = conditional_batch_norm(2, 3), torch.randn(6, 2, 3, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    found = norm(x, torch.eye(3)[y])
    for c in range(2):
        mean, std = x[:, c].mean(), x[:, c].var(unbiased=False).add(1e-5).sqrt()
        for n in range(6):
            scale, shift = (float(made.weight[c, y[n]]) for made in (norm.scale, norm.shift))
            expected = (1 + scale) * (x[n, c] - mean) / std + shift
            torch.testing.assert_close(found[n, c], expected, rtol=1e-4, atol=1e-5)


def test_adaptive_instance_norm_takes_the_style_of_each_image_alone() -> None:
    norm, x, w = adaptive_instance_norm(2, 4), torch.randn(3, 2, 4, 4), torch.randn(3, 4)
    found = norm(x, w)
    for n in range(3):
        scale, shift = 1 + norm.scale(w[n]), norm.shift(w[n])
        for c in range(2):
            of = x[n, c]
            expected = scale[c] * (of - of.mean()) / of.var(unbiased=False).sqrt() + shift[c]
            torch.testing.assert_close(found[n, c], expected, rtol=1e-4, atol=1e-5)


def test_pixel_norm_gives_every_place_length_one_on_average() -> None:
    for shape in ((2, 5), (2, 5, 3, 3)):
        x = torch.randn(shape)
        found = PixelNorm()(x)
        torch.testing.assert_close(found.square().mean(1), torch.ones_like(found[:, 0]), rtol=1e-4, atol=1e-4)
        first = x[(1, slice(None), *[2] * (len(shape) - 2))]
        expected = first / sqrt(float(first.square().mean()))
        torch.testing.assert_close(found[(1, slice(None), *[2] * (len(shape) - 2))], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("batch", "group"), [(8, 4), (6, 3), (5, 1), (3, 3)])
def test_the_deviation_in_a_group_is_one_more_channel(batch: int, group: int) -> None:
    x = torch.randn(batch, 3, 2, 2)
    found = MinibatchStdDev()(x)
    assert torch.equal(found[:, :3], x)
    groups = batch // group
    for i in range(batch):
        members = [x[k] for k in range(batch) if k % groups == i % groups]
        spread = torch.stack(members).var(0, unbiased=False).add(1e-8).sqrt().mean()
        torch.testing.assert_close(found[i, 3], spread.expand(2, 2))


def test_equal_images_do_not_deviate() -> None:
    assert float(MinibatchStdDev()(torch.ones(4, 1, 2, 2))[:, 1].max()) == pytest.approx(1e-4)


def test_equalized_weights_start_at_one_and_act_scaled_by_their_fan_in() -> None:
    net = equalized_lr(nn.Sequential(nn.Linear(50, 200), nn.Conv2d(8, 40, 3), nn.ConvTranspose2d(8, 40, 4)))
    for layer, fan_in in zip(net, (50, 8 * 9, 8 * 16), strict=True):
        original = layer.parametrizations["weight"].original
        assert abs(float(original.detach().std()) - 1) < 0.05
        torch.testing.assert_close(layer.weight, original * sqrt(2 / fan_in))
        assert float(layer.bias.abs().sum()) == 0


def test_a_doubling_convolution_is_a_convolution_of_the_doubled_features() -> None:
    layer, x = equalized_lr(UpsampleConv2d(3, 5)).double(), torch.randn(2, 3, 4, 7).double()
    nn.init.normal_(layer.bias)
    expected = conv2d(interpolate(x, scale_factor=2, mode="nearest"), layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(layer(x), expected)


def test_heads_say_what_their_papers_say() -> None:
    h, y = torch.randn(4, 5), torch.tensor([2, 0, 1, 1])
    projection = ProjectionHead(5, 3)
    for n in range(4):
        logit = projection.plain(h[n]) + projection.of_class.weight[y[n]] @ h[n]
        torch.testing.assert_close(projection(h, y)[n], logit)
    auxiliary = AuxiliaryHead(5, 3)
    assert torch.equal(auxiliary(h, y), torch.cat([auxiliary.real(h), auxiliary.classes(h)], dim=1))
    assert torch.equal(auxiliary(h, y), auxiliary(h, 2 - y)), "it is not told the label"
    assert PlainHead(5)(h).shape == (4, 1)
