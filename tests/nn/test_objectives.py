"""The losses against their formulas, with D(x) = sigmoid(logit) where D is a probability."""

from collections.abc import Callable
from math import log

import pytest
import torch
from torch import Tensor

from genpipe.nn.objectives import OBJECTIVES, logit_logs

Pair = tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]


def loglik(real: Tensor, fake: Tensor) -> Tensor:
    return real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean()


FORMULAS: dict[str, Pair] = {
    "minimax": (lambda r, f: -loglik(r, f), lambda r, f: (1 - f.sigmoid()).log().mean()),
    "non-saturating": (lambda r, f: -loglik(r, f), lambda r, f: -f.sigmoid().log().mean()),
    "least-squares": (
        lambda r, f: 0.5 * ((r - 1) ** 2).mean() + 0.5 * (f**2).mean(),
        lambda r, f: 0.5 * ((f - 1) ** 2).mean(),
    ),
    "wasserstein": (lambda r, f: f.mean() - r.mean(), lambda r, f: -f.mean()),
    "hinge": (
        lambda r, f: -torch.minimum(torch.zeros(()), r - 1).mean() - torch.minimum(torch.zeros(()), -1 - f).mean(),
        lambda r, f: -f.mean(),
    ),
    "relativistic-average": (
        lambda r, f: -loglik(r - f.mean(), f - r.mean()),
        lambda r, f: -loglik(f - r.mean(), r - f.mean()),
    ),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_are_those_of_the_papers(name: str) -> None:
    objective, (of_d, of_g) = OBJECTIVES[name], FORMULAS[name]
    real, fake = 2 * torch.randn(64, 1, dtype=torch.float64), 2 * torch.randn(64, 1, dtype=torch.float64)
    torch.testing.assert_close(objective.discriminator(real, fake), of_d(real, fake))
    given = (fake, real) if objective.compares else (fake,)
    torch.testing.assert_close(objective.generator(*given), of_g(real, fake))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_steps_downhill_part_the_kinds_for_d_and_raise_generated_images_for_g(name: str) -> None:
    objective = OBJECTIVES[name]
    real, fake = torch.zeros(8, 1, requires_grad=True), torch.zeros(8, 1, requires_grad=True)
    of_real, of_fake = torch.autograd.grad(objective.discriminator(real, fake), (real, fake))
    assert (of_real < 0).all()
    assert (of_fake > 0).all() or (name == "least-squares" and (of_fake == 0).all()), "0 is its aim for them"
    given = (fake, real) if objective.compares else (fake,)
    assert (torch.autograd.grad(objective.generator(*given), fake)[0] < 0).all()


def test_a_sure_discriminator_leaves_the_minimax_generator_no_gradient() -> None:
    for name, at_least, at_most in (("minimax", 0, 1e-6), ("non-saturating", 0.99, 1)):
        fake = torch.full((1, 1), -20.0, requires_grad=True)
        OBJECTIVES[name].generator(fake).backward()
        assert at_least <= -float(fake.grad) <= at_most


def test_an_undecided_discriminator_loses_log_4() -> None:
    nothing = torch.zeros(5, 1)
    assert float(OBJECTIVES["minimax"].discriminator(nothing, nothing)) == pytest.approx(log(4))


def test_the_curves_are_told_probabilities_or_the_critics_estimate() -> None:
    real, fake = torch.full((4, 1), 3.0), torch.full((4, 1), 1.0)
    assert float(logit_logs(OBJECTIVES["minimax"], real, fake)["d_real"]) == pytest.approx(0.95257, abs=1e-4)
    assert {k: float(v) for k, v in logit_logs(OBJECTIVES["wasserstein"], real, fake).items()} == {
        "d_real": 3,
        "d_fake": 1,
        "critic_estimate": 2,
    }
    assert "critic_estimate" not in logit_logs(OBJECTIVES["hinge"], real, fake)
