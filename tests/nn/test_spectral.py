"""Spectral normalization against the singular value decomposition."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from genpipe.config.training import Optim, Train
from genpipe.dataset.batches import BatchLoader
from genpipe.interfaces.phases import Batch, Phase, Trainable
from genpipe.interfaces.tensors import Logs, Scalar
from genpipe.nn.spectral import SpectralNorm, spectrally_normalized
from genpipe.training.callbacks import StepInfo
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.devices import fabric
from genpipe.training.loop import fit, seed

LAYERS = {
    "linear": (lambda: nn.Linear(7, 5), (3, 7)),
    "convolution": (lambda: nn.Conv2d(3, 6, 4, 2, 1), (2, 3, 8, 8)),
    "transposed": (lambda: nn.ConvTranspose2d(3, 6, 4, 2, 1), (2, 3, 8, 8)),
}


def sigma(layer: nn.Module) -> float:
    """The largest singular value of a layer's weight as a matrix with a row an output."""
    weight = layer.weight.detach()
    rows = weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight
    return float(torch.linalg.svdvals(rows.flatten(1).double())[0])


@pytest.mark.parametrize("kind", LAYERS)
def test_sigma_is_1_after_some_passes(kind: str) -> None:
    made, shape = LAYERS[kind]
    layer = made()
    expected = layer.weight.detach() / sigma(layer)
    spectrally_normalized(layer)
    for _ in range(60):
        layer(torch.randn(shape))
    assert sigma(layer) == pytest.approx(1, abs=1e-3)
    torch.testing.assert_close(layer.weight.detach(), expected, rtol=2e-3, atol=1e-4)


def test_one_iteration_a_pass_follows_weights_that_move() -> None:
    layer = spectrally_normalized(nn.Linear(20, 30))
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-4)
    for _ in range(200):
        optimizer.zero_grad()
        (-layer(torch.randn(16, 20)).square().mean()).backward()
        optimizer.step()
    assert sigma(layer) == pytest.approx(1, abs=0.1), "one iteration lags behind a little"
    for _ in range(100):
        layer(torch.randn(16, 20))
    assert sigma(layer) == pytest.approx(1, abs=1e-3)


def test_evaluation_does_not_iterate_and_gives_the_same_each_time() -> None:
    layer, x = spectrally_normalized(nn.Linear(4, 5)), torch.randn(2, 4)
    for training, moves in ((True, True), (False, False)):
        layer.train(training)
        before = layer.parametrizations["weight"][0].u.clone()
        first, second = layer(x), layer(x)
        assert torch.equal(layer.parametrizations["weight"][0].u, before) != moves
        assert training or torch.equal(first, second)


def test_the_length_of_u_counts_for_nothing() -> None:
    weight = torch.randn(5, 4)
    norm = SpectralNorm(weight).eval()
    expected = norm(weight)
    norm.u.mul_(0.3)
    torch.testing.assert_close(norm(weight), expected)


def test_the_gradient_is_that_of_w_over_sigma() -> None:
    """Equation 12 of the paper, where u and v are constants; at the fixed point it is the derivative of W/σ(W)."""
    W = torch.randn(4, 3, dtype=torch.float64)
    norm = SpectralNorm(W).double()
    norm._matrix = lambda weight: weight
    for _ in range(200):
        norm(W)
    norm.eval()
    step, target = torch.randn_like(W), torch.randn_like(W)
    at = W.clone().requires_grad_(True)
    (norm(at) * target).sum().backward()

    def value(weight: Tensor) -> Tensor:
        return (weight / torch.linalg.svdvals(weight)[0] * target).sum()

    slope = (value(W + 1e-6 * step) - value(W - 1e-6 * step)) / 2e-6
    torch.testing.assert_close((at.grad * step).sum(), slope, rtol=1e-5, atol=1e-6)


class Critic(Trainable):
    """One normalized layer after another."""

    def __init__(self) -> None:
        super().__init__()
        self.net = spectrally_normalized(nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 1)))

    def phases(self) -> list[Phase]:
        return [Phase("critic", self.net, self.loss)]

    def loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        return self.net(batch.x).mean(), {}


def test_checkpoints_and_averages_keep_it(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 4, 4), dtype=np.uint8)

    def trained(folder: Path, killed_at: int | None = None) -> Critic:
        seed(0)
        model, device = Critic(), fabric("32-true")
        train = Train(steps=30, batch_size=8, log_every_steps=1, checkpoint_every_steps=10, ema_halflife_images=40)

        def watch(info: StepInfo) -> None:
            if info.step == killed_at:
                raise KeyboardInterrupt

        batches = BatchLoader(images, None, size=8, seed=0, device=device.device)
        optim = {"critic": Optim(lr=0.01)}
        fit(model, batches, train, optim, device=device, checkpoints=Checkpoints(folder), callbacks=[watch])
        return model

    whole = trained(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "killed", killed_at=17)
    resumed = trained(tmp_path / "killed").state_dict()
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.state_dict().items())
    assert [sigma(layer) for layer in (whole.net[1], whole.net[3])] == pytest.approx([1, 1], abs=0.02), "of the average"
