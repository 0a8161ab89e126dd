"""Encoders and decoders of autoencoders: fully connected or convolutional, each the mirror of the other."""

from itertools import pairwise
from math import prod
from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from genpipe.interfaces.spec import DataSpec
from genpipe.nn.conv import downsample_stack, seed_size, upsample_stack
from genpipe.schema import Strict

Width = Annotated[int, Field(ge=1)]


class EncoderDecoder(Strict):
    """The hidden layers between an image and its code, named from the image inwards."""

    architecture: Literal["mlp", "conv"] = "conv"
    widths: Annotated[list[Width], Field(min_length=1)] = [16, 32, 64]
    latent_dim: Width = 32


def encoder(config: EncoderDecoder, spec: DataSpec, outputs: int) -> nn.Sequential:
    """Returns a net from images [b c h w] to [b outputs]."""
    if config.architecture == "mlp":
        layers = _hidden([spec.values, *config.widths])
        return nn.Sequential(nn.Flatten(), *layers, nn.Linear(config.widths[-1], outputs))
    positions = prod(seed_size(spec, len(config.widths)))
    convolutions = downsample_stack([spec.channels, *config.widths])
    return nn.Sequential(convolutions, nn.Flatten(), nn.Linear(config.widths[-1] * positions, outputs))


def decoder(config: EncoderDecoder, inputs: int, spec: DataSpec, last: type[nn.Module] = nn.Tanh) -> nn.Sequential:
    """Returns a net from codes [b inputs] to images in the range of `last`: [-1, 1]; `nn.Identity` is unbounded."""
    outwards = config.widths[::-1]
    if config.architecture == "mlp":
        drawing = [nn.Linear(outwards[-1], spec.values), last(), nn.Unflatten(1, spec.shape)]
        return nn.Sequential(*_hidden([inputs, *outwards]), *drawing)
    seed = (outwards[0], *seed_size(spec, len(outwards)))
    first = nn.Linear(inputs, prod(seed))
    return nn.Sequential(first, nn.Unflatten(1, seed), upsample_stack([*outwards, spec.channels], last))


def _hidden(sizes: list[int]) -> list[nn.Module]:
    return [layer for i, o in pairwise(sizes) for layer in (nn.Linear(i, o), nn.ReLU())]
