"""PatchGAN: a discriminator of patches (Isola et al. 2017, arXiv:1611.07004, section 3.2.2), at one or more scales.

Several scales look at the image, at its half, and so on: Wang et al. 2018 (arXiv:1711.11585), section 3.2.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Annotated, Literal, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from genpipe.errors import Unsuitable
from genpipe.nn.halving import Size, halved, norm
from genpipe.nn.spectral import spectrally_normalized
from genpipe.nn.strided import initialize
from genpipe.schema import Strict

WIDEST = 8
"""The deepest layers have so many times the channels of the first."""
PatchLogits = Float[Tensor, "b 1 scales rows columns"]


class PatchConfig(Strict):
    """Knobs of a discriminator of patches."""

    discriminator_channels: Annotated[int, Field(ge=1)] = 64
    """Channels of the layer next to the image; they double in each further layer, up to eight times as many."""
    discriminator_halvings: Annotated[int, Field(ge=0, le=5)] = 2
    """Strided layers: a patch has 1, 16, 34, 70, 142 or 286 pixels a side for 0 to 5 of them."""
    discriminator_scales: Annotated[int, Field(ge=1, le=4)] = 1
    """Discriminators, each for an image of half the side of the one before."""
    discriminator_norm: Literal["instance", "batch", "none"] = "instance"
    spectral_norm: bool = False
    """Whether the weights of D are divided by their largest singular value, beside the norm of features."""


class PatchOutput(NamedTuple):
    """What a discriminator of patches says of images [b c h w]."""

    logits: PatchLogits
    """A logit for each patch; those of coarser scales are repeated, so that the mean weighs all scales alike."""
    features: list[Tensor]
    """The outputs of each layer [b _ _ _] but the last, scale by scale."""


class PatchDiscriminator(nn.Module):
    """Images or maps [b inputs h w] to a logit for each patch. Raises Unsuitable."""

    def __init__(self, config: PatchConfig, inputs: int, size: Size) -> None:
        super().__init__()
        least = 2 ** (config.discriminator_halvings + config.discriminator_scales - 1)
        if min(size) < least:
            raise Unsuitable(
                f"a discriminator of patches with discriminator_halvings {config.discriminator_halvings} and "
                f"discriminator_scales {config.discriminator_scales} needs images of {least} pixels a side, and they "
                f"are {size[0]}×{size[1]}. Lower one of the two, or increase `image_size` of the data set."
            )
        self.scales = nn.ModuleList(
            [_layers(config, inputs, halved(size, scale)) for scale in range(config.discriminator_scales)]
        )
        self.apply(initialize)
        if config.spectral_norm:
            spectrally_normalized(self)

    def forward(self, x: Float[Tensor, "b c h w"]) -> PatchLogits:
        return self.judge(x).logits

    def judge(self, x: Float[Tensor, "b c h w"]) -> PatchOutput:
        """Returns the logits and the features of all scales."""
        logits: list[Tensor] = []
        features: list[Tensor] = []
        for number, layers in enumerate(self.scales):
            x = avg_pool2d(x, 2) if number else x
            outputs = _layer_by_layer(layers.children(), x)
            logits.append(outputs[-1])
            features += outputs[:-1]
        finest = logits[0].shape[2:]
        return PatchOutput(torch.stack([logits[0], *(interpolate(of, finest) for of in logits[1:])], 2), features)


def receptive_field(halvings: int) -> int:
    """Returns the side of a patch in pixels, from the output inwards: f ← stride · (f − 1) + kernel."""
    field = 1
    for stride in [1, 1, *[2] * halvings] if halvings else []:
        field = stride * (field - 1) + 4
    return field


def _layer_by_layer(layers: Iterable[nn.Module], x: Tensor) -> list[Tensor]:
    """Returns the output of each layer, which the next one gets."""
    return list(accumulate(layers, lambda h, layer: layer(h), initial=x))[1:]


def _layers(config: PatchConfig, inputs: int, size: Size) -> nn.ModuleList:
    """Strided layers, one more at the smallest size, and the logits; without strided ones, pixels by themselves."""
    halvings = config.discriminator_halvings
    widths = [config.discriminator_channels * min(2**k, WIDEST) for k in range(halvings + 1 if halvings else 2)]
    layers = []
    for k, (i, o) in enumerate(pairwise([inputs, *widths])):
        size = halved(size) if k < halvings else size
        after = norm(config.discriminator_norm, o, size) if k else []
        layers.append(nn.Sequential(*_conv(i, o, halvings, strided=k < halvings), *after, nn.LeakyReLU(0.2)))
    return nn.ModuleList([*layers, nn.Sequential(*_conv(widths[-1], 1, halvings, strided=False))])


def _conv(inputs: int, outputs: int, halvings: int, strided: bool) -> Sequence[nn.Module]:
    """A convolution of 4 × 4 that halves the size or keeps it, or one of 1 × 1."""
    if not halvings:
        return [nn.Conv2d(inputs, outputs, 1)]
    if strided:
        return [nn.Conv2d(inputs, outputs, 4, 2, 1)]
    return [nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(inputs, outputs, 4)]
