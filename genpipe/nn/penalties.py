"""Penalties on the change of a discriminator with its images, and of a generator with its styles."""

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu

from genpipe.errors import Unsuitable
from genpipe.interfaces.styles import Style
from genpipe.interfaces.tensors import Images, Scalar
from genpipe.nn.affine import moved
from genpipe.nn.objectives import Logits
from genpipe.nn.precision import full_precision

Critic = Callable[[Images], Logits]
Kind = Literal["none", "wgan-gp", "wgan-gp-one-sided", "r1", "r2", "dragan", "consistency", "balanced-consistency"]
MOVED = 1 / 8
"""The largest shift of an image for consistency, as a share of its side, as in the paper."""


def gradient_norm(critic: Critic, x: Images) -> Float[Tensor, " b"]:
    """Returns ‖∇D(x)‖ of each image, in full precision, differentiable with respect to the weights of D.

    If D has a logit for each place, D(x) is their mean.
    """
    with full_precision(x):
        at = x.detach().float().requires_grad_(True)
        (gradient,) = torch.autograd.grad(critic(at).flatten(1).mean(1).sum(), at, create_graph=True)
    return torch.linalg.vector_norm(gradient.flatten(1), dim=1)


def wgan_gp(critic: Critic, real: Images, fake: Images) -> Scalar:
    """E (‖∇D(x̂)‖ − 1)² at points between real and generated images, eq. 3 of arXiv:1704.00028."""
    return (gradient_norm(critic, between(real, fake)) - 1).square().mean()


def wgan_gp_one_sided(critic: Critic, real: Images, fake: Images) -> Scalar:
    """E max(0, ‖∇D(x̂)‖ − 1)², for the gradient may be shorter than 1: section 4 of arXiv:1704.00028."""
    return relu(gradient_norm(critic, between(real, fake)) - 1).square().mean()


def r1(critic: Critic, real: Images, fake: Images) -> Scalar:
    """½ E ‖∇D(x)‖² at real images, eq. 9 of Mescheder et al. 2018 (arXiv:1801.04406)."""
    return gradient_norm(critic, real).square().mean() / 2


def r2(critic: Critic, real: Images, fake: Images) -> Scalar:
    """½ E ‖∇D(G(z))‖² at generated images, eq. 10 of arXiv:1801.04406."""
    return gradient_norm(critic, fake).square().mean() / 2


def dragan(critic: Critic, real: Images, fake: Images) -> Scalar:
    """E (‖∇D(x + δ)‖ − 1)² around real images, Kodali et al. 2017 (arXiv:1705.07215).

    As in the authors' code, δ lies between 0 and uniform noise of up to half the deviation of the batch's values.
    """
    noisy = real + 0.5 * real.std() * torch.rand_like(real)
    return (gradient_norm(critic, between(real, noisy)) - 1).square().mean()


def consistency(critic: Critic, real: Images, fake: Images) -> Scalar:
    """E (D(x) − D(T(x)))² of real images and the same moved a little, eq. 2 of Zhang et al. 2020 (arXiv:1910.12027)."""
    real = real.detach()
    return (critic(real) - critic(moved(real, MOVED, mirrored_border=True))).square().mean()


def balanced_consistency(critic: Critic, real: Images, fake: Images) -> Scalar:
    """The same of real and of generated images, algorithm 1 of Zhao et al. 2021 (arXiv:2002.04724)."""
    return consistency(critic, real, fake) + consistency(critic, fake, real)


PENALTIES: Mapping[str, Callable[[Critic, Images, Images], Scalar]] = {
    "wgan-gp": wgan_gp,
    "wgan-gp-one-sided": wgan_gp_one_sided,
    "r1": r1,
    "r2": r2,
    "dragan": dragan,
    "consistency": consistency,
    "balanced-consistency": balanced_consistency,
}
OF_GRADIENT = frozenset(PENALTIES) - {"consistency", "balanced-consistency"}


def between(a: Images, b: Images) -> Images:
    """Returns a random point on each straight line from an image of a to that of b, uniformly."""
    return torch.lerp(a, b, torch.rand(len(a), *[1] * (a.ndim - 1), device=a.device))


def drift(real: Logits) -> Scalar:
    """E D(x)² of real images, which keeps a critic near 0: appendix A.1 of Karras et al. 2018 (arXiv:1710.10196)."""
    return real.square().mean()


class Lazy(nn.Module):
    """A term at every k-th update only, multiplied by k (Karras et al. 2020, arXiv:1912.04958, appendix B).

    Turns are counted in a buffer, so that a training that goes on counts on.
    """

    turns: Tensor

    def __init__(self, weight: float, interval: int) -> None:
        super().__init__()
        self.weight, self.interval = weight, interval
        if interval > 1:
            self.register_buffer("turns", torch.zeros((), dtype=torch.long))

    def _due(self) -> bool:
        if self.interval == 1 or self.turns.is_meta:
            return True  # a look at the counter would make the device wait; without memory there is nothing to see
        turn = int(self.turns)
        self.turns += 1
        return turn % self.interval == 0


class Penalty(Lazy):
    """A penalty at every k-th update of D."""

    def __init__(self, kind: str, weight: float, interval: int) -> None:
        super().__init__(weight, interval)
        self.kind = kind

    def forward(self, critic: Critic, real: Images, fake: Images) -> dict[str, Tensor]:
        """Returns additional terms of D's loss in this update, by name: the weighted penalty, or nothing."""
        if self.kind == "none" or not self._due():
            return {}
        return {"penalty": self.weight * self.interval * PENALTIES[self.kind](critic, real, fake)}


def path_lengths(draw: Callable[[Style], Images], w: Style) -> Float[Tensor, " b"]:
    """‖Jᵀy‖ of each style, J the Jacobian of G at w and y a random image, differentiable with respect to G's weights.

    Section 3.2 of arXiv:1912.04958; as in the authors' code, y is of N(0, 1) over the root of the number of places.
    """
    with full_precision(w):
        w = w.float()
        x = draw(w)
        y = torch.randn_like(x) / (x.shape[2] * x.shape[3]) ** 0.5
        (gradient,) = torch.autograd.grad((x * y).sum(), w, create_graph=True)
    return torch.linalg.vector_norm(gradient, dim=1)


class PathLength(Lazy):
    """E (‖Jᵀy‖ − a)² at every k-th update of G, a the mean of the lengths so far: eq. 4 of arXiv:1912.04958."""

    FOLLOWS = 0.01
    """Weight of the newest lengths in a."""

    mean: Float[Tensor, ""]

    def __init__(self, weight: float, interval: int) -> None:
        super().__init__(weight, interval)
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, draw: Callable[[Style], Images], styles: Callable[[], Style]) -> dict[str, Tensor]:
        """Returns additional terms of G's loss in this update, by name: the weighted penalty, or nothing."""
        if not self.weight or not self._due():
            return {}
        lengths = path_lengths(draw, styles())
        self.mean.lerp_(lengths.detach().mean(), self.FOLLOWS)
        return {"path_length": self.weight * self.interval * (lengths - self.mean).square().mean()}


def refuse_batch_norm(discriminator: nn.Module) -> None:
    """Raises Unsuitable if D normalizes over batches, as the gradient at an image then depends on others."""
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in discriminator.modules()):
        raise Unsuitable(
            "a penalty on the gradient at each image needs a discriminator that judges it by itself, and this one has "
            "batch norm (arXiv:1704.00028, section 4). Set `discriminator_norm: layer`, or `penalty: none`."
        )
