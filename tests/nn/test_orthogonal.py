import pytest
import torch
from torch import nn

from genpipe.nn.orthogonal import initialize_orthogonally, kernels, orthogonality
from genpipe.nn.spectral import spectrally_normalized


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (4, 3, 2, 2)])
@pytest.mark.parametrize("form", ["relaxed", "full"])
def test_it_is_zero_on_orthogonal_matrices(shape: tuple[int, ...], form: str) -> None:
    weight = nn.init.orthogonal_(torch.empty(shape))
    assert float(orthogonality([weight], form)) == pytest.approx(0, abs=1e-9)
    assert float(orthogonality([weight + 0.1 * torch.randn(shape)], form)) > 1e-3


def test_it_is_the_sum_over_pairs_of_filters() -> None:
    W = torch.randn(3, 2, 2, 2)
    filters = [w.flatten() for w in W]
    pairs = {(i, j): float(filters[i] @ filters[j]) ** 2 for i in range(3) for j in range(3)}
    apart = sum(value for (i, j), value in pairs.items() if i != j)
    assert float(orthogonality([W])) == pytest.approx(apart, rel=1e-4)
    lengths = sum((float(w @ w) - 1) ** 2 for w in filters)
    assert float(orthogonality([W, W], "full")) == pytest.approx(2 * (apart + lengths), rel=1e-4)


def test_layers_start_orthogonal_and_are_found_behind_parametrizations() -> None:
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Linear(4, 4), nn.Embedding(3, 5), nn.BatchNorm2d(3))
    net.apply(initialize_orthogonally)
    assert float(orthogonality(kernels(net), "full")) == pytest.approx(0, abs=1e-9)
    assert float(net[0].bias.abs().sum()) == 0
    plain = list(kernels(net))
    assert len(plain) == 2
    assert all(a is b for a, b in zip(plain, kernels(spectrally_normalized(net)), strict=True))
