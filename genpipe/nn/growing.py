"""A GAN whose nets grow during the training (Karras et al. 2018, arXiv:1710.10196, section 2).

How far they have grown is one number, kept with the weights: 1.5 is halfway from level 1 to level 2. The losses of each
level have phases of their own, and with them optimizers, in its part of the training.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from genpipe.errors import Unsuitable
from genpipe.interfaces.phases import Batch, Phase
from genpipe.interfaces.resolutions import HasResolutions
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Codes, Images, Logs, Scalar
from genpipe.nn import penalties
from genpipe.nn.adversarial import DiscriminatorOutput, GANConfig, UnconditionalGAN
from genpipe.nn.fading import Features, Output, Share, downsample, fade_in, upsample
from genpipe.nn.strided import SEED_PIXELS, doublings, first_size

_ONE = 1 << 16
"""The type of `Growing.grown`, the level: an integer, which the weight average copies."""


class Growth(GANConfig):
    """Knobs of the width and the growth of both nets."""

    generator_channels: Annotated[int, Field(ge=1)] = 16
    """Channels of the layers next to the largest image; they double each time the size halves."""
    discriminator_channels: Annotated[int, Field(ge=1)] = 16
    most_channels: Annotated[int, Field(ge=1)] = 512
    """Channels of a layer at most."""
    start_size: Annotated[int, Field(ge=SEED_PIXELS)] = SEED_PIXELS
    """Shorter side of the first images, in pixels; that of the data's images: no growing."""
    growing_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Share of the training until the nets have their full size."""
    output: Output = "linear"
    """Output of G: linear as in the paper, or tanh for images with much black or white."""
    drift_weight: Annotated[float, Field(ge=0)] = 0.0
    """Weight of D's mean squared output for real images in its loss."""


class Growing(UnconditionalGAN, HasResolutions):
    """A GAN whose G(z) and D(x) begin with small images; its nets are those of `fading`."""

    grown: Tensor

    def __init__(self, config: Growth, generator: nn.Module, discriminator: nn.Module, spec: DataSpec) -> None:
        super().__init__(config, generator, discriminator)
        self.sizes, self.share, self.drift_weight = sizes(config, spec), config.growing_share, config.drift_weight
        self.register_buffer("grown", torch.zeros((), dtype=torch.long))

    def on_step_start(self, progress: float) -> None:
        self.grown.fill_(round(_ONE * grown(progress, len(self.sizes), self.share)))

    def phases(self) -> list[Phase]:
        whole, level_parts = super().phases(), parts(len(self.sizes), self.share)
        return [
            replace(phase, module=phase.module.at(level), loss=partial(self.loss_at, level, phase.loss), during=part)  # type: ignore[operator]
            for level, part in enumerate(level_parts)
            for phase in whole
        ]

    def loss_at(self, level: int, loss: Callable[[Batch], tuple[Scalar, Logs]], batch: Batch) -> tuple[Scalar, Logs]:
        """Computes a loss on images of the size of a level."""
        return loss(replace(batch, x=self.shrunk(batch.x, level)))

    def generate(self, z: Codes, batch: Batch) -> Images:
        level = self.level_of(batch)
        return self.generator(z, level, self.alpha(level))

    def discriminate(self, x: Images, batch: Batch) -> DiscriminatorOutput:
        level = self.level_of(batch)
        return self.discriminator(x, level, self.alpha(level))

    def discriminator_terms(
        self, of_real: DiscriminatorOutput, of_fake: DiscriminatorOutput, batch: Batch
    ) -> Mapping[str, Scalar]:
        terms = dict(super().discriminator_terms(of_real, of_fake, batch))
        if self.drift_weight:
            terms["drift"] = self.drift_weight * penalties.drift(of_real)
        return terms

    def decode(self, z: Codes) -> Images:
        return self.shown(partial(self.generator, z))

    def decode_at(self, z: Codes, size: int) -> Images:
        return self.generator(z, self.sizes.index(size), torch.ones((), device=z.device)).clamp(-1, 1)

    def shown(self, draw: Callable[[int, Share], Images]) -> Images:
        """Returns images of the present level and its α, in the full size and in [-1, 1]."""
        level = -(-int(self.grown) // _ONE)
        x = draw(level, self.alpha(level))
        for _ in self.sizes[level + 1 :]:
            x = upsample(x)
        return x.clamp(-1, 1)

    def shrunk(self, x: Features, level: int) -> Features:
        """Returns real images at a level, faded like G's images."""
        for _ in self.sizes[level + 1 :]:
            x = downsample(x)
        return fade_in(upsample(downsample(x)), x, self.alpha(level)) if level else x

    def alpha(self, level: int) -> Share:
        """Returns α, how far a level has faded in, on the device."""
        return (self.grown / _ONE - (level - 1)).clamp(0, 1)

    def level_of(self, batch: Batch) -> int:
        """Returns the level of images."""
        return self.sizes.index(min(batch.x.shape[2:]))


def sizes(config: Growth, spec: DataSpec) -> tuple[int, ...]:
    """Returns the shorter side of the images at each level, in pixels. Raises Unsuitable."""
    possible = tuple(min(first_size(spec)) * 2**k for k in range(doublings(spec) + 1))
    if config.start_size not in possible:
        raise Unsuitable(
            f"start_size is {config.start_size}, from which doubling does not lead to images of {spec.height}×"
            f"{spec.width}. Choose one of {', '.join(map(str, possible))}."
        )
    return possible[possible.index(config.start_size) :]


def widths(channels: int, most: int, spec: DataSpec) -> list[int]:
    """Returns the channels of features at each size, from the smallest. Raises Unsuitable."""
    return [min(channels * 2**k, most) for k in reversed(range(doublings(spec) + 1))]


def parts(levels: int, share: float) -> list[tuple[float, float]]:
    """Returns the part of the training for each level; the next one begins with fading in."""
    piece = _piece(levels, share)
    return list(pairwise([0.0, *((2 * k - 1) * piece for k in range(1, levels)), 1.0]))


def grown(done: float, levels: int, share: float) -> float:
    """Returns the level of the nets after a share of the training.

    Up to `share` equal pieces alternate, in which a level stays as it is and in which the next one fades in.
    """
    piece = _piece(levels, share)
    return sum((min(max(done / piece - (2 * k - 1), 0.0), 1.0) for k in range(1, levels)), 0.0)


def _piece(levels: int, share: float) -> float:
    return share / max(2 * levels - 2, 1)
