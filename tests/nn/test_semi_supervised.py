"""M2 and its objective against sums over classes that are written out."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from genpipe.nn.semi_supervised import M2, CodeGaussian, objective, perceptron, unlabeled_bound
from genpipe.nn.variational import kl_to_standard_normal

K, D, F = 3, 2, 4


@pytest.fixture
def m2() -> M2:
    torch.manual_seed(0)
    nets = (perceptron(F, [5], K), nn.Identity(), perceptron(F + K, [5], 2 * D), perceptron(D + K, [5], 2 * F))
    return M2(*nets, CodeGaussian(), K, D)


def seeded(made: Callable[[], Tensor]) -> Tensor:
    """What is made, from the same random numbers every time."""
    torch.manual_seed(1)
    return made()


def test_the_bound_of_each_class_and_of_a_known_one_is_eq_6(m2: M2) -> None:
    x, known = torch.randn(6, F), torch.arange(6) % K
    found, of_known = seeded(lambda: m2.negative_elbos(x)), seeded(lambda: m2.negative_elbo(x, known))
    noise = seeded(lambda: torch.randn(6, D))
    for i in range(6):
        for y in range(K):
            one_hot = torch.eye(K)[y]
            mu, logvar = m2.encoder(torch.cat([x[i], one_hot])).chunk(2)
            z = mu + torch.exp(logvar / 2) * noise[i]
            mean, log_variance = m2.decoder(torch.cat([z, one_hot])).chunk(2)
            log_p = Normal(mean, torch.exp(log_variance / 2)).log_prob(x[i]).sum() + torch.tensor(1 / K).log()
            expected = kl_to_standard_normal(mu[None], logvar[None])[0] - log_p
            torch.testing.assert_close(found[i, y], expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(of_known, found[torch.arange(6), known], rtol=1e-4, atol=1e-4)


def test_the_bound_without_a_label_is_eq_7_and_tight_at_the_posterior_of_classes() -> None:
    torch.manual_seed(0)
    of_classes, q = torch.rand(5, K, dtype=torch.float64) * 9, torch.rand(5, K, dtype=torch.float64).softmax(1)
    entropy = torch.distributions.Categorical(q).entropy()
    found = unlabeled_bound(of_classes, q.log())
    torch.testing.assert_close(found, sum(q[:, y] * of_classes[:, y] for y in range(K)) - entropy)
    exact = -torch.logsumexp(-of_classes, 1)
    torch.testing.assert_close(unlabeled_bound(of_classes, (-of_classes).log_softmax(1)), exact)
    assert (found > exact).all()


def test_the_objective_is_eqs_8_and_9_of_the_shares_that_are_said() -> None:
    unlabeled, labeled, nats = torch.rand(5) * 9, torch.rand(2) * 9, torch.rand(2)
    loss, logs = objective(unlabeled, labeled, nats, 0.25, 7.0)
    torch.testing.assert_close(loss, 0.75 * unlabeled.mean() + 0.25 * labeled.mean() + 7.0 * nats.mean())
    assert [*logs] == ["unlabeled_nats", "labeled_nats", "classification_nats"]


@pytest.mark.parametrize(("free", "told"), [(0, 2), (2, 0)])
def test_a_batch_of_one_kind_has_a_finite_objective(free: int, told: int) -> None:
    loss, _ = objective(torch.rand(free), torch.rand(told), torch.rand(told), 0.5, 1.0)
    assert torch.isfinite(loss)


def test_codes_are_drawn_from_their_gaussian() -> None:
    outputs = torch.tensor([[1.0, -2.0, 0.0, 2.0]]).expand(20_000, 4)
    z = CodeGaussian.drawn(outputs, torch.Generator().manual_seed(0))
    torch.testing.assert_close(z.mean(0), torch.tensor([1.0, -2.0]), rtol=0, atol=0.1)
    torch.testing.assert_close(z.var(0).log(), torch.tensor([0.0, 2.0]), rtol=0, atol=0.1)
