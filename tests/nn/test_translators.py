"""Generators that translate images: sizes, independence of the batch, and what reaches the output."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from genpipe.errors import Unsuitable
from genpipe.nn.halving import most_halvings
from genpipe.nn.inpainting import InpaintingNet, composite, dilations
from genpipe.nn.resnet_translator import ResNetConfig, ResNetTranslator
from genpipe.nn.super_resolution import PixelShuffleUp, SRResNet, SRResNetConfig
from genpipe.nn.unet import UNet, UNetConfig

HOLE = torch.zeros(4, 1, 16, 24)
HOLE[:, :, 4:9, 10:20] = 1


class WithHole(nn.Module):
    """An InpaintingNet of its own output, so that no known pixel hides what the net does."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = InpaintingNet(ResNetConfig(generator_channels=4, generator_blocks=2), 3, (16, 24))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner.drawn(x, HOLE[: len(x)])


GENERATORS: dict[str, Callable[[], nn.Module]] = {
    "unet": lambda: UNet(UNetConfig(generator_channels=4), 3, 1, (16, 24)),
    "resnet": lambda: ResNetTranslator(ResNetConfig(generator_channels=4, generator_blocks=2), 3, 1, (16, 24)),
    "inpainting": WithHole,
    "super-resolution": lambda: _awake(SRResNet(SRResNetConfig(generator_channels=4, generator_blocks=2), 3, 2)),
}


def _awake(net: SRResNet) -> SRResNet:
    nn.init.normal_(net.last.weight, std=0.02)
    return net


@pytest.mark.parametrize("kind", GENERATORS)
def test_an_output_depends_on_its_own_input_alone_and_training_and_evaluation_agree(kind: str) -> None:
    torch.manual_seed(0)
    net, x = GENERATORS[kind](), torch.rand(4, 3, 16, 24) * 2 - 1
    with torch.inference_mode():
        together = net.train()(x)
        assert torch.equal(net.eval()(x), together)
        for i in range(4):
            torch.testing.assert_close(net(x[i : i + 1]), together[i : i + 1], rtol=0, atol=1e-5)
    assert together.std() > 0


@pytest.mark.parametrize("size", [(8, 8), (16, 16), (16, 24), (64, 32), (20, 12)])
@pytest.mark.parametrize("kind", ["unet", "resnet"])
def test_rectangles_and_other_channels_keep_their_size(kind: str, size: tuple[int, int]) -> None:
    made = {
        "unet": lambda: UNet(UNetConfig(generator_channels=2), 5, 3, size),
        "resnet": lambda: ResNetTranslator(ResNetConfig(generator_channels=2, generator_blocks=1), 5, 3, size),
    }[kind]()
    drawn = made(torch.randn(2, 5, *size))
    assert drawn.shape == (2, 3, *size)
    assert drawn.abs().max() <= 1


def test_the_depth_of_a_unet_follows_the_size_and_one_place_has_no_norm() -> None:
    deep, flat = (UNet(UNetConfig(generator_channels=2), 1, 1, size) for size in ((32, 32), (48, 32)))
    assert [len(net.down) for net in (deep, flat)] == [5, 4]
    norms = [any(isinstance(layer, nn.InstanceNorm2d) for layer in down) for down in deep.down]
    assert norms == [False, True, True, True, False], "none next to the image, none at 1 × 1"
    assert any(isinstance(layer, nn.InstanceNorm2d) for layer in flat.down[-1]), "3 × 2 places have one"


def test_every_skip_of_a_unet_reaches_the_output() -> None:
    torch.manual_seed(0)
    net, x = UNet(UNetConfig(generator_channels=2), 1, 1, (16, 16)), torch.randn(1, 1, 16, 16)
    before = net(x)
    for number in range(len(net.down)):
        hook = net.down[number].register_forward_hook(lambda _, __, output: output + torch.randn_like(output))
        assert not torch.equal(net(x), before), f"features {number} change nothing"
        hook.remove()
    shut = net.up[-1].register_forward_hook(lambda _, __, output: torch.zeros_like(output))
    assert net(x).std() > 0, "the first features go straight to the image"
    shut.remove()


def test_the_weights_of_a_translator_start_from_a_narrow_normal_distribution() -> None:
    for made in (UNet(UNetConfig(), 3, 3, (8, 8)), ResNetTranslator(ResNetConfig(generator_blocks=1), 3, 3, (8, 8))):
        weights = torch.cat([m.weight.detach().flatten() for m in made.modules() if isinstance(m, nn.Conv2d)])
        assert float(weights.mean()) == pytest.approx(0, abs=1e-3)
        assert float(weights.std()) == pytest.approx(0.02, rel=0.01)


def test_dropout_of_a_unet_is_in_three_layers_and_off_in_evaluation() -> None:
    net, x = UNet(UNetConfig(generator_channels=2, generator_dropout=0.5), 1, 1, (64, 64)), torch.randn(1, 1, 64, 64)
    assert sum(isinstance(layer, nn.Dropout) for layer in net.modules()) == 3
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: UNet(UNetConfig(), 1, 1, (33, 32)), "33×32.*multiples of 2"),
        (lambda: UNet(UNetConfig(generator_halvings=5), 1, 1, (48, 32)), "48×32.*multiples of 32"),
        (lambda: ResNetTranslator(ResNetConfig(), 1, 1, (30, 32)), "30×32.*multiples of 4"),
        (lambda: ResNetTranslator(ResNetConfig(), 1, 1, (4, 8)), "4×8.*multiples of 4, 8 at least"),
    ],
)
def test_a_size_that_cannot_be_halved_so_often_is_refused(build: Callable[[], nn.Module], named: str) -> None:
    with pytest.raises(Unsuitable, match=named):
        build()


def test_halvings_without_a_remainder_are_counted() -> None:
    for size in ((1, 1), (3, 8), (6, 8), (12, 8), (64, 96), (256, 256)):
        expected = next(k for k in range(20) if any(side % 2 ** (k + 1) for side in size))
        assert most_halvings(size) == expected


def test_pixels_of_a_hole_are_drawn_and_known_ones_come_back_bit_exact() -> None:
    torch.manual_seed(0)
    net = InpaintingNet(ResNetConfig(generator_channels=4, generator_blocks=4), 3, (16, 24))
    x = torch.rand(4, 3, 16, 24) * 2 - 1
    drawn = net(x, HOLE)
    inside = HOLE.bool().expand_as(x)
    assert torch.equal(drawn[~inside], x[~inside])
    assert (drawn[inside] != x[inside]).all()
    other = torch.where(inside, torch.rand_like(x), x)
    assert torch.equal(net(other, HOLE), drawn), "what the hole hides is not seen"


def test_a_composite_takes_each_pixel_from_one_image() -> None:
    known, drawn = torch.full((1, 2, 2, 2), float("nan")), torch.ones(1, 2, 2, 2)
    found = composite(known, drawn, torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]]))
    assert found.isnan().tolist() == [[[[False, True], [True, False]]] * 2]


def test_dilations_grow_as_far_as_there_is_room() -> None:
    assert [dilations((side, 64)) for side in (2, 4, 8, 16, 64)] == [[1], [1, 2], [1, 2, 4], [1, 2, 4, 8], [1, 2, 4, 8]]


def test_dilated_blocks_see_farther() -> None:
    def field(dilation: int) -> int:
        config = ResNetConfig(generator_channels=1, generator_blocks=2, generator_norm="none")
        net = ResNetTranslator(config, 1, 1, (96, 96), [dilation]).net[:-1]
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.constant_(layer.weight, 0.1)
        x = torch.rand(1, 1, 96, 96, requires_grad=True)
        net(x)[0, 0, 48, 48].backward()
        return int((x.grad[0, 0] != 0).any(0).sum())

    step = 2**2 * 2 * 2  # each of two blocks sees so many pixels more on both sides together, for one more of dilation
    assert field(3) == field(1) + 2 * step


def test_a_sub_pixel_convolution_is_a_loop_over_squares() -> None:
    block, x = PixelShuffleUp(3), torch.randn(2, 3, 4, 5)
    wide, expected = block[0](x), torch.empty(2, 3, 8, 10)
    for c in range(3):
        for i in range(8):
            for j in range(10):
                expected[:, c, i, j] = wide[:, 4 * c + 2 * (i % 2) + j % 2, i // 2, j // 2]
    torch.testing.assert_close(block(x), torch.where(expected > 0, expected, 0.25 * expected))


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_super_resolution_starts_as_a_bilinear_enlargement(factor: int) -> None:
    x = torch.rand(2, 3, 5, 6) * 2 - 1
    net = SRResNet(SRResNetConfig(generator_channels=4, generator_blocks=1), 3, factor)
    expected = nn.Upsample(scale_factor=factor, mode="bilinear")(x)
    torch.testing.assert_close(net(x), expected)
    net(x).square().sum().backward()
    assert net.last.weight.grad.abs().sum() > 0
    assert _awake(net)(x).shape == (2, 3, 5 * factor, 6 * factor)
