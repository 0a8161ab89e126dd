"""SPADE against the plain norm, and against a loop over places."""

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, relu

from genpipe.nn.spatial_modulation import SPADE, ConcatenationBlock, SPADEBlock, one_hot


def silenced(norm: SPADE) -> SPADE:
    for layer in (norm.gamma, norm.beta):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    return norm


@pytest.mark.parametrize(("kind", "plain"), [("instance", nn.InstanceNorm2d), ("batch", nn.BatchNorm2d)])
def test_without_gamma_and_beta_it_is_the_plain_norm(kind: str, plain: type[nn.Module]) -> None:
    h, m = torch.randn(3, 4, 6, 5), one_hot(torch.randint(0, 7, (3, 12, 10)), 7)
    assert torch.equal(silenced(SPADE(4, 7, 8, kind))(h, m), plain(4, affine=False)(h))


def test_scale_and_shift_are_those_of_the_map_at_each_place() -> None:
    torch.manual_seed(0)
    norm, h, labels = SPADE(2, 3, 5), torch.randn(2, 2, 3, 4), torch.randint(0, 3, (2, 6, 8))
    m = torch.zeros(2, 3, 3, 4)
    for n in range(2):
        for i in range(3):
            for j in range(4):
                m[n, labels[n, 2 * i, 2 * j], i, j] = 1  # the nearest of four pixels, as PyTorch counts
    shared = relu(conv2d(m, norm.shared[0].weight, norm.shared[0].bias, padding=1))
    gamma, beta = (conv2d(shared, of.weight, of.bias, padding=1) for of in (norm.gamma, norm.beta))
    found = norm(h, one_hot(labels, 3))
    for n in range(2):
        for c in range(2):
            plain = (h[n, c] - h[n, c].mean()) / (h[n, c].var(unbiased=False) + 1e-5).sqrt()
            expected = plain * (1 + gamma[n, c]) + beta[n, c]
            torch.testing.assert_close(found[n, c], expected, rtol=1e-4, atol=1e-5)


def test_the_norm_has_no_parameters_of_its_own() -> None:
    assert not list(SPADE(4, 2).norm.parameters())
    assert [tuple(p.shape[:2]) for p in SPADE(4, 2).parameters() if p.ndim == 4] == [(128, 2), (4, 128), (4, 128)]


def test_one_hot_maps_have_a_channel_a_label() -> None:
    found = one_hot(torch.tensor([[[0, 2], [1, 1]]]), 3)
    assert found.tolist() == [[[[1, 0], [0, 0]], [[0, 0], [1, 1]], [[0, 1], [0, 0]]]]


@pytest.mark.parametrize(("inputs", "outputs"), [(4, 4), (6, 3), (3, 6)])
def test_a_block_is_residual_and_hears_the_map(inputs: int, outputs: int) -> None:
    block, x = SPADEBlock(inputs, outputs, 3, 8), torch.randn(2, inputs, 6, 4)
    maps = [one_hot(torch.full((2, 6, 4), k), 3) for k in range(2)]
    first, second = (block(x, m) for m in maps)
    assert first.shape == (2, outputs, 6, 4)
    assert not torch.equal(first, second)
    nn.init.zeros_(block.two.weight)
    nn.init.zeros_(block.two.bias)
    if inputs == outputs:
        assert torch.equal(block(x, maps[0]), x)
    else:
        torch.testing.assert_close(block(x, maps[0]), block.shortcut(block.shortcut_norm(x, maps[0])))


def test_without_spade_the_map_is_beside_the_features_of_each_convolution() -> None:
    block, x = ConcatenationBlock(4, 4, 3), torch.randn(2, 4, 6, 4)
    maps = [one_hot(torch.full((2, 12, 8), k), 3) for k in range(2)]
    assert not torch.allclose(block(x, maps[0]), block(x, maps[1]))
    assert [layer.weight.shape[1] for layer in (block.one, block.two)] == [7, 7]
    with torch.no_grad():
        for layer in (block.one, block.two):
            layer.weight[:, 4:] = 0
    torch.testing.assert_close(block(x, maps[0]), block(x, maps[1]))
