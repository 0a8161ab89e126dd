"""Likelihoods p(x|z) of images, in which every number of an image depends on z alone.

Images are in [-1, 1], where level k of 256 lies at 2k/255 − 1 and has a cell of 1/255 to both sides. A density is one
on these numbers; `genpipe.nn.levels` says how it becomes a probability of the image as it is stored.
"""

from abc import ABC, abstractmethod
from math import log, pi
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid, softplus

from genpipe.errors import Unsuitable
from genpipe.interfaces.likelihood import Measure
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Images
from genpipe.nn.levels import LEVEL

Outputs = Float[Tensor, "b k h w"]
"""The output of a decoder: `outputs` unbounded numbers for each number of an image."""
Name = Literal[
    "gaussian",
    "gaussian_learned_variance",
    "gaussian_pixel_variance",
    "bernoulli",
    "continuous_bernoulli",
    "discretized_logistic",
]
_FINEST = 2 * log(LEVEL) - log(12)
"""log σ² of a number that is uniform within its cell, the finest that 256 levels can show."""
_NARROWEST = -7.0
"""log s of a logistic distribution that hardly leaves its level; the bound of the code of Salimans et al. 2017."""
_NEAR_ZERO = 0.25
"""Below this a series is more exact than sinh in float32."""


class Likelihood(nn.Module, ABC):
    """p(x|z), from the output of a decoder."""

    of: ClassVar[Measure]
    outputs: ClassVar[int] = 1
    """The decoder's outputs for each number of an image."""

    @abstractmethod
    def each(self, x: Images, outputs: Outputs) -> Images:
        """Returns −log p of each number of an image in nats."""

    @abstractmethod
    def mean(self, outputs: Outputs) -> Images:
        """Returns E[x|z], in [-1, 1]."""

    def nll(self, x: Images, outputs: Outputs) -> Float[Tensor, " b"]:
        """Returns −log p(x|z) in nats per image, in the precision of x."""
        return self.each(x, outputs.to(x.dtype)).flatten(1).sum(1)


class Gaussian(Likelihood):
    """N(x̂, σ² · I), x̂ = tanh of the output, with a given σ² for all numbers of all images."""

    of = "density"
    log_variance: Tensor

    def __init__(self, variance: float) -> None:
        super().__init__()
        self.register_buffer("log_variance", torch.tensor(log(variance)), persistent=False)

    def each(self, x: Images, outputs: Outputs) -> Images:
        mean, log_variance = self._parts(outputs)
        return 0.5 * ((x - mean).square() * torch.exp(-log_variance) + log_variance + log(2 * pi))

    def mean(self, outputs: Outputs) -> Images:
        return self._parts(outputs)[0]

    def _parts(self, outputs: Outputs) -> tuple[Images, Tensor]:
        return torch.tanh(outputs), self.log_variance


class LearnedGaussian(Gaussian):
    """A Gaussian with one learned σ² (σ-VAE: Rybkin et al. 2021, arXiv:2006.13202)."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.log_variance = nn.Parameter(torch.zeros(()))

    def _parts(self, outputs: Outputs) -> tuple[Images, Tensor]:
        return torch.tanh(outputs), _above(self.log_variance, _FINEST)


class PixelGaussian(Gaussian):
    """N(x̂, diag σ²) with a σ² for each number of each image (Kingma & Welling 2014, arXiv:1312.6114, appendix C.2)."""

    outputs = 2

    def __init__(self) -> None:
        nn.Module.__init__(self)

    def _parts(self, outputs: Outputs) -> tuple[Images, Tensor]:
        mean, log_variance = outputs.chunk(2, dim=1)
        return torch.tanh(mean), _above(log_variance, _FINEST)


class Bernoulli(Likelihood):
    """The probability of two levels, -1 and 1; the output is the logit of 1."""

    of = "2 levels"

    def each(self, x: Images, outputs: Outputs) -> Images:
        return binary_cross_entropy_with_logits(outputs, (x + 1) / 2, reduction="none")

    def mean(self, outputs: Outputs) -> Images:
        return torch.tanh(outputs / 2)


class ContinuousBernoulli(Likelihood):
    """The density C(λ) λᵗ (1 − λ)¹⁻ᵗ of t in [0, 1] (Loaiza-Ganem & Cunningham 2019, arXiv:1907.06845, section 3).

    The cells of the 256 levels together are its [0, 1]. With y = 2t − 1 and the output, the logit of λ, as 2h, it is
    exp(h·y) · h / (2 sinh h) on [-1, 1], and its mean coth h − 1/h.
    """

    of = "density"

    def each(self, x: Images, outputs: Outputs) -> Images:
        h = outputs / 2
        return _log_sinhc(h) + log(2) - h * x * (255 / 256) - log(255 / 256)

    def mean(self, outputs: Outputs) -> Images:
        return (_langevin(outputs / 2) * (256 / 255)).clamp(-1, 1)


class DiscretizedLogistic(Likelihood):
    """The probability of 256 levels: a logistic distribution integrated over each cell, the outer ones without end.

    Kingma et al. 2016 (arXiv:1606.04934); outputs are its mean m and log s, as in Salimans et al. 2017
    (arXiv:1701.05517, eq. 2), of one component. The image that is shown is the mean of the distribution cut off at ±1.
    """

    of = "256 levels"
    outputs = 2

    def each(self, x: Images, outputs: Outputs) -> Images:
        m, s = self._parts(outputs)
        below, above = logsigmoid((x + LEVEL / 2 - m) / s), logsigmoid((m - x + LEVEL / 2) / s)
        # σ(a) − σ(b) = σ(a) σ(−b) (1 − exp(b − a)), which cancels nothing
        inner = below + above + torch.log(-torch.expm1(-LEVEL / s))
        outer = torch.where(x > 0, above, below)
        return -torch.where(x.abs() > 1 - LEVEL / 2, outer, inner)

    def mean(self, outputs: Outputs) -> Images:
        m, s = self._parts(outputs)
        return (s * (softplus((m + 1) / s) - softplus((m - 1) / s)) - 1).clamp(-1, 1)

    @staticmethod
    def _parts(outputs: Outputs) -> tuple[Images, Images]:
        m, log_s = outputs.chunk(2, dim=1)
        return m, torch.exp(_above(log_s, _NARROWEST))


def likelihood(name: Name, variance: float, spec: DataSpec) -> Likelihood:
    """Returns the likelihood of a name; only "gaussian" uses the variance. Raises Unsuitable."""
    if name == "bernoulli" and spec.levels != 2:
        raise Unsuitable(
            f"a Bernoulli likelihood is one of images of two levels, and these have {spec.levels}. Give the data set "
            "`binarize: threshold` or `sampled`, or take `likelihood: continuous_bernoulli`."
        )
    if name == "gaussian":
        return Gaussian(variance)
    return {
        "gaussian_learned_variance": LearnedGaussian,
        "gaussian_pixel_variance": PixelGaussian,
        "bernoulli": Bernoulli,
        "continuous_bernoulli": ContinuousBernoulli,
        "discretized_logistic": DiscretizedLogistic,
    }[name]()


def _above(raw: Tensor, least: float) -> Tensor:
    """A number above the least, which far from it is the raw one; its gradient never is zero."""
    return least + softplus(raw - least)


def _log_sinhc(h: Tensor) -> Tensor:
    """log(sinh h / h), by its series around 0."""
    near, size = h.abs() < _NEAR_ZERO, torch.where(h.abs() < _NEAR_ZERO, 1.0, h.abs())
    series = h.square() * (1 / 6 - h.square() * (1 / 180 - h.square() / 2835))
    return torch.where(near, series, size + torch.log1p(-torch.exp(-2 * size)) - torch.log(2 * size))


def _langevin(h: Tensor) -> Tensor:
    """coth h − 1/h, by its series around 0."""
    near, safe = h.abs() < _NEAR_ZERO, torch.where(h.abs() < _NEAR_ZERO, 1.0, h)
    series = h * (1 / 3 - h.square() * (1 / 45 - 2 * h.square() / 945))
    return torch.where(near, series, 1 / torch.tanh(safe) - 1 / safe)
