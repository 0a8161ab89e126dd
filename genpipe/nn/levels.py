"""Conversion of densities to probabilities of images as stored, in 256 levels."""

from math import log

import torch
from jaxtyping import Float
from torch import Tensor

from genpipe.interfaces.likelihood import Measure
from genpipe.interfaces.tensors import Images

LEVEL = 2 / 255
"""The distance between levels, which is the width of a level's cell, on the scale of [-1, 1]."""


def dequantized(x: Images, rng: torch.Generator) -> Images:
    """Samples each number uniformly from the cell of its level; the outer cells end 1/255 beyond ±1.

    The mean of log p(x + u) over such u is a lower bound on the log of p integrated over the cells (Theis et al. 2016,
    arXiv:1511.01844, section 3.1).
    """
    return x + (torch.rand(x.shape, generator=rng, device=x.device, dtype=x.dtype) - 0.5) * LEVEL


def as_stored(log_p: Float[Tensor, " b"], of: Measure, values: int) -> Float[Tensor, " b"]:
    """Returns log P of stored images in nats; a density is multiplied by the cell's width for each number."""
    return log_p + values * log(LEVEL) if of == "density" else log_p


def bits_per_dimension(nats: float, values: int) -> float:
    """Returns −log₂ P per number of an image."""
    return nats / (values * log(2))
