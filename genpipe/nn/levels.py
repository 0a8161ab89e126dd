"""From densities to probabilities of images as they are stored, in 256 levels."""

from math import log

import torch
from jaxtyping import Float
from torch import Tensor

from genpipe.interfaces.likelihood import Measure
from genpipe.interfaces.tensors import Images

LEVEL = 2 / 255
"""From one level to the next, and how wide the cell of a level is, on the scale of [-1, 1]."""


def dequantized(x: Images, rng: torch.Generator) -> Images:
    """Each number drawn uniformly from the cell of its level; the outer cells end 1/255 beyond ±1.

    The mean of log p(x + u) over such u is a lower bound on the log of p integrated over the cells (Theis et al. 2016,
    arXiv:1511.01844, section 3.1).
    """
    return x + (torch.rand(x.shape, generator=rng, device=x.device, dtype=x.dtype) - 0.5) * LEVEL


def as_stored(log_p: Float[Tensor, " b"], of: Measure, values: int) -> Float[Tensor, " b"]:
    """log P of stored images in nats, of log p of so many numbers each: a density counts once for each cell's width."""
    return log_p + values * log(LEVEL) if of == "density" else log_p


def bits_per_dimension(nats: float, values: int) -> float:
    """−log₂ P for each of the numbers of an image."""
    return nats / (values * log(2))
