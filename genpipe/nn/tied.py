"""Sigmoid layers that also decode, with the same weights (Vincent et al. 2010, JMLR 11:3371, section 3.1)."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Codes, Images
from genpipe.nn.autoencoding import Autoencoding
from genpipe.nn.encoder_decoder import Width
from genpipe.nn.priors import UniformPrior
from genpipe.schema import Strict

_SIGMOID_GAIN = 4.0
"""The factor on Glorot & Bengio's bounds (2010), for units whose slope at 0 is a quarter."""


class Tied(Strict):
    """Knobs of the layers between an image and its code."""

    widths: list[Width] = []
    """Units of the hidden layers, from the image inwards; none: a single layer."""
    latent_dim: Width = 32


class TiedLayer(nn.Module):
    """y = σ(W x + b), and decoded x̂ = σ(Wᵀ y + b′); if untied, the decoder has its own weights."""

    def __init__(self, inputs: int, outputs: int, tied: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.back_weight = None if tied else nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.back_bias = nn.Parameter(torch.empty(inputs))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initializes the weights by Glorot & Bengio's method; biases become 0."""
        for weight in (self.weight, self.back_weight):
            if weight is not None:
                nn.init.xavier_uniform_(weight, _SIGMOID_GAIN)
        for bias in (self.bias, self.back_bias):
            nn.init.zeros_(bias)

    def forward(self, x: Float[Tensor, "b i"]) -> Float[Tensor, "b o"]:
        return linear(x, self.weight, self.bias).sigmoid()

    def back(self, y: Float[Tensor, "b o"]) -> Float[Tensor, "b i"]:
        """Returns the reconstruction of the input from y."""
        return self.back_logits(y).sigmoid()

    def back_logits(self, y: Float[Tensor, "b o"]) -> Float[Tensor, "b i"]:
        """Returns the reconstruction before its sigmoid."""
        weight = self.weight.T if self.back_weight is None else self.back_weight
        return linear(y, weight, self.back_bias)


class TiedAutoencoder(UniformPrior, Autoencoding):
    """A stack of tied layers; pixels are scaled to [0, 1], the range of the sigmoid.

    A unit of a code lies between 0 and 1 too, so samples decode codes that are uniform there.
    """

    def __init__(self, config: Tied, spec: DataSpec, tied: bool = True) -> None:
        nn.Module.__init__(self)
        self.latent_dim, self.shape = config.latent_dim, spec.shape
        sizes = [spec.values, *config.widths, config.latent_dim]
        self.layers = nn.ModuleList(TiedLayer(i, o, tied) for i, o in pairwise(sizes))

    def encode(self, x: Images) -> Codes:
        h = flat(x)
        for layer in self.layers:
            h = layer(h)
        return h

    def decode(self, z: Codes) -> Images:
        h = z
        for layer in reversed(self.layers):
            h = layer.back(h)  # type: ignore[operator]
        return (2 * h - 1).unflatten(1, self.shape)


def flat(x: Images) -> Float[Tensor, "b i"]:
    """Returns images as rows of values from 0 to 1."""
    return (x.flatten(1) + 1) / 2
