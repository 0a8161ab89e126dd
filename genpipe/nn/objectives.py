"""Adversarial losses of G and D: functions of D's output for real and for generated images.

Where D(x) is a probability, D says its logit, so that log D = −softplus(−logit) and log(1 − D) = −softplus(logit).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import relu, softplus

from genpipe.interfaces.tensors import Scalar

Logits = Float[Tensor, "_ 1 *places"]
"""One for each image, or for each place of it; losses take the mean over all."""
Loss = Literal["non-saturating", "minimax", "least-squares", "wasserstein", "hinge", "relativistic-average"]


@dataclass(frozen=True)
class Objective:
    """A loss for D and one for G, averaged over a batch."""

    discriminator: Callable[[Logits, Logits], Scalar]
    """D's loss, from its outputs for real and for generated images."""
    generator: Callable[..., Scalar]
    """G's loss, from D's outputs for generated images, and for real ones if the objective compares them."""
    compares: bool = False
    """Whether G's loss uses real images too."""
    probability: bool = False
    """Whether D's output is the logit of the probability that an image is real."""
    signed: bool = False
    """Whether D's output is positive for images that it takes as real, and negative for the rest."""


def cross_entropy(real: Logits, fake: Logits) -> Scalar:
    """−E log D(x) − E log(1 − D(G(z))) in nats: the negative value of the game, eq. 1 of arXiv:1406.2661."""
    return softplus(-real).mean() + softplus(fake).mean()


def non_saturating(fake: Logits) -> Scalar:
    """−E log D(G(z)) in nats, section 3 of arXiv:1406.2661."""
    return softplus(-fake).mean()


def minimax(fake: Logits) -> Scalar:
    """E log(1 − D(G(z))) in nats, eq. 1 of arXiv:1406.2661."""
    return -softplus(fake).mean()


def least_squares(real: Logits, fake: Logits) -> Scalar:
    """½ E (D(x) − 1)² + ½ E D(G(z))², eq. 9 of Mao et al. 2017 (arXiv:1611.04076)."""
    return (real - 1).square().mean() / 2 + fake.square().mean() / 2


def least_squares_of_generator(fake: Logits) -> Scalar:
    """½ E (D(G(z)) − 1)², eq. 9 of arXiv:1611.04076."""
    return (fake - 1).square().mean() / 2


def wasserstein(real: Logits, fake: Logits) -> Scalar:
    """E D(G(z)) − E D(x), the negative estimate of the distance: eq. 2 of Arjovsky et al. 2017 (arXiv:1701.07875)."""
    return fake.mean() - real.mean()


def linear(fake: Logits) -> Scalar:
    """−E D(G(z)), G's loss against a critic and with the hinge loss."""
    return -fake.mean()


def hinge(real: Logits, fake: Logits) -> Scalar:
    """E max(0, 1 − D(x)) + E max(0, 1 + D(G(z))), Lim & Ye 2017 (arXiv:1705.02894)."""
    return relu(1 - real).mean() + relu(1 + fake).mean()


def relativistic_average(real: Logits, fake: Logits) -> Scalar:
    """−E log D̄(x) − E log(1 − D̄(G(z))) in nats, D̄ the logit beside the mean of the other kind.

    Jolicoeur-Martineau 2018 (arXiv:1807.00734), section 4.2.
    """
    return cross_entropy(real - fake.mean(), fake - real.mean())


def relativistic_average_of_generator(fake: Logits, real: Logits) -> Scalar:
    """The same with the two kinds exchanged."""
    return relativistic_average(fake, real)


OBJECTIVES: Mapping[Loss, Objective] = {
    "non-saturating": Objective(cross_entropy, non_saturating, probability=True, signed=True),
    "minimax": Objective(cross_entropy, minimax, probability=True, signed=True),
    "least-squares": Objective(least_squares, least_squares_of_generator),
    "wasserstein": Objective(wasserstein, linear),
    "hinge": Objective(hinge, linear, signed=True),
    "relativistic-average": Objective(relativistic_average, relativistic_average_of_generator, compares=True),
}


def logit_logs(objective: Objective, real: Logits, fake: Logits) -> dict[str, Tensor]:
    """Returns D's mean outputs for the curves, as probabilities if they are; for a critic also its estimate."""
    values = [x.detach().sigmoid() if objective.probability else x.detach() for x in (real, fake)]
    logs = dict(zip(("d_real", "d_fake"), (value.mean() for value in values), strict=True))
    if objective.discriminator is wasserstein:
        logs["critic_estimate"] = logs["d_real"] - logs["d_fake"]
    return logs
