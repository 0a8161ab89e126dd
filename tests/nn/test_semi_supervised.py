"""M2 and its objective against sums over classes that are written out."""

import pytest
import torch
from torch import nn
from torch.distributions import Normal

from genpipe.nn.semi_supervised import M2, CodeGaussian, objective, perceptron, unlabelled_bound
from genpipe.nn.variational import kl_to_standard_normal

K, D, F = 3, 2, 4


@pytest.fixture
def m2() -> M2:
    torch.manual_seed(0)
    nets = (perceptron(F, [5], K), nn.Identity(), perceptron(F + K, [5], 2 * D), perceptron(D + K, [5], 2 * F))
    return M2(*nets, CodeGaussian(), K)


def test_the_bound_of_each_class_is_eq_6(m2: M2) -> None:
    x = torch.randn(6, F)
    torch.manual_seed(1)
    found = m2.negative_bounds(x)
    torch.manual_seed(1)
    noise = torch.randn(6, D)
    for i in range(6):
        for y in range(K):
            one_hot = torch.eye(K)[y]
            mu, logvar = m2.encoder(torch.cat([x[i], one_hot])).chunk(2)
            z = mu + torch.exp(logvar / 2) * noise[i]
            mean, log_variance = m2.decoder(torch.cat([z, one_hot])).chunk(2)
            log_p = Normal(mean, torch.exp(log_variance / 2)).log_prob(x[i]).sum() + torch.tensor(1 / K).log()
            expected = kl_to_standard_normal(mu[None], logvar[None])[0] - log_p
            torch.testing.assert_close(found[i, y], expected, rtol=1e-4, atol=1e-4)


def test_the_bound_without_a_label_is_eq_7_and_tight_at_the_posterior_of_classes() -> None:
    torch.manual_seed(0)
    of_classes, q = torch.rand(5, K, dtype=torch.float64) * 9, torch.rand(5, K, dtype=torch.float64).softmax(1)
    entropy = torch.distributions.Categorical(q).entropy()
    found = unlabelled_bound(of_classes, q.log())
    torch.testing.assert_close(found, sum(q[:, y] * of_classes[:, y] for y in range(K)) - entropy)
    exact = -torch.logsumexp(-of_classes, 1)
    torch.testing.assert_close(unlabelled_bound(of_classes, (-of_classes).log_softmax(1)), exact)
    assert (found > exact).all()


def test_the_objective_is_eqs_8_and_9_of_the_shares_that_are_said() -> None:
    torch.manual_seed(0)
    of_classes, log_q = torch.rand(4, K) * 9, torch.randn(4, K).log_softmax(1)
    known, y = torch.tensor([True, False, True, False]), torch.tensor([2, 0, 1, 0])
    loss, _ = objective(of_classes, log_q, known, y, 0.25, 7.0)
    unlabelled = unlabelled_bound(of_classes, log_q)[[1, 3]].mean()
    labelled, nats = (of_classes[0, 2] + of_classes[2, 1]) / 2, -(log_q[0, 2] + log_q[2, 1]) / 2
    torch.testing.assert_close(loss, 0.75 * unlabelled + 0.25 * labelled + 7.0 * nats)


@pytest.mark.parametrize("known", [[True, True], [False, False]])
def test_a_batch_of_one_kind_has_a_finite_objective(known: list[bool]) -> None:
    loss, _ = objective(
        torch.rand(2, K), torch.rand(2, K).log_softmax(1), torch.tensor(known), torch.zeros(2).long(), 0.5, 1.0
    )
    assert torch.isfinite(loss)


def test_codes_are_drawn_from_their_gaussian() -> None:
    outputs = torch.tensor([[1.0, -2.0, 0.0, 2.0]]).expand(20_000, 4)
    z = CodeGaussian.drawn(outputs, torch.Generator().manual_seed(0))
    torch.testing.assert_close(z.mean(0), torch.tensor([1.0, -2.0]), rtol=0, atol=0.1)
    torch.testing.assert_close(z.var(0).log(), torch.tensor([0.0, 2.0]), rtol=0, atol=0.1)
