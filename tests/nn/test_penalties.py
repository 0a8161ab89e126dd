"""Penalties against finite differences, in double precision."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from genpipe.config.training import Optim, Train
from genpipe.dataset.batches import BatchLoader
from genpipe.errors import Unsuitable
from genpipe.interfaces.spec import DataSpec
from genpipe.models.dcgan import DCGAN
from genpipe.nn import penalties
from genpipe.nn.penalties import Penalty, gradient_norm
from genpipe.training.callbacks import StepInfo
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.devices import fabric
from genpipe.training.loop import fit, seed

STEP = 1e-3
SPEC = DataSpec(1, 8, 8)


def critic() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.Softplus(), nn.Flatten(), nn.Linear(12, 1))


def slope(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """‖∇‖ of each image by central differences, in doubles."""
    function = function.double()  # type: ignore[attr-defined]
    found = torch.zeros(x.shape, dtype=torch.float64)
    for place in np.ndindex(*x.shape[1:]):
        up, down = x.double().clone(), x.double().clone()
        up[(slice(None), *place)] += STEP
        down[(slice(None), *place)] -= STEP
        found[(slice(None), *place)] = ((function(up) - function(down)) / (2 * STEP))[:, 0]
    function.float()  # type: ignore[attr-defined]
    return found.flatten(1).norm(dim=1)


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> tuple[nn.Module, Tensor, Tensor]:
    """A critic, real and generated images; the points between the two are their middles."""
    monkeypatch.setattr(penalties, "between", lambda a, b: (a + b) / 2)
    torch.manual_seed(1)
    return critic(), torch.randn(5, 1, 4, 4), torch.randn(5, 1, 4, 4)


def test_the_norm_of_the_gradient_is_that_of_finite_differences(case: tuple[nn.Module, Tensor, Tensor]) -> None:
    d, real, _ = case
    torch.testing.assert_close(gradient_norm(d, real).double(), slope(d, real), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scale", [0.2, 8.0])
def test_penalties_are_those_of_the_papers(case: tuple[nn.Module, Tensor, Tensor], scale: float) -> None:
    d, real, fake = case
    with torch.no_grad():
        d[3].weight *= scale
    at_real, at_fake, half_way = (slope(d, x) for x in (real, fake, (real + fake) / 2))
    expected = {
        "wgan-gp": ((half_way - 1) ** 2).mean(),
        "wgan-gp-one-sided": (torch.clamp(half_way - 1, min=0) ** 2).mean(),
        "r1": (at_real**2).mean() / 2,
        "r2": (at_fake**2).mean() / 2,
    }
    for kind, value in expected.items():
        found = penalties.PENALTIES[kind](d, real, fake).double()
        torch.testing.assert_close(found, value, rtol=1e-3, atol=1e-6, msg=kind)
    torch.manual_seed(5)
    around = real + 0.5 * real.std() * torch.rand_like(real)
    torch.manual_seed(5)
    found = penalties.PENALTIES["dragan"](d, real, fake).double()
    torch.testing.assert_close(found, ((slope(d, (real + around) / 2) - 1) ** 2).mean(), rtol=1e-3, atol=1e-6)


def test_points_between_lie_on_the_lines_each_at_its_own_place() -> None:
    a, b = torch.zeros(500, 1, 2, 2), torch.ones(500, 1, 2, 2)
    share = penalties.between(a, b).flatten(1)
    assert (share == share[:, :1]).all()
    assert 0.45 < share.mean() < 0.55
    assert share.min() < 0.02
    assert share.max() > 0.98


def test_a_penalty_reaches_the_weights_of_d_and_not_the_images() -> None:
    d, real, fake = critic(), torch.randn(3, 1, 4, 4), torch.randn(3, 1, 4, 4, requires_grad=True)
    with torch.no_grad():
        d[3].weight *= 20  # gradients longer than 1, so that the one-sided penalty counts too
    for kind, made in penalties.PENALTIES.items():
        d.zero_grad()
        made(d, real, fake).backward()
        assert d[0].weight.grad.abs().sum() > 0, kind
        assert fake.grad is None, kind


def test_a_lazy_penalty_comes_every_k_turns_and_is_k_times_as_heavy() -> None:
    d, real, fake = critic(), torch.randn(3, 1, 4, 4), torch.randn(3, 1, 4, 4)
    lazy = Penalty("r1", weight=2.0, interval=3)
    found = [lazy(d, real, fake) for _ in range(7)]
    assert [bool(terms) for terms in found] == [True, False, False, True, False, False, True]
    torch.testing.assert_close(found[3]["penalty"], 3 * 2.0 * penalties.r1(d, real, fake))
    assert Penalty("none", 1.0, 1)(d, real, fake) == {}
    assert Penalty("r1", 1.0, 1).state_dict() == {}, "nothing to count"


def test_consistency_is_how_much_d_minds_where_an_image_is(monkeypatch: pytest.MonkeyPatch) -> None:
    d, real, fake = critic(), torch.randn(3, 1, 4, 4), torch.randn(3, 1, 4, 4)
    monkeypatch.setattr(penalties, "moved", lambda x, share, mirrored_border: x.roll(1, 3))
    of_real, of_fake = (((d(x) - d(x.roll(1, 3))) ** 2).mean() for x in (real, fake))
    torch.testing.assert_close(penalties.consistency(d, real, fake), of_real)
    torch.testing.assert_close(penalties.balanced_consistency(d, real, fake), of_real + of_fake)
    assert penalties.consistency(lambda x: x.amax((1, 2, 3))[:, None], real.fill_(0.7), fake) == 0


@pytest.mark.parametrize("penalty", sorted(penalties.OF_GRADIENT))
def test_batch_norm_is_refused_under_a_penalty_of_the_gradient(penalty: str) -> None:
    small = {"generator_channels": 4, "discriminator_channels": 4, "penalty": penalty}
    with pytest.raises(Unsuitable, match="discriminator_norm: layer"):
        DCGAN(DCGAN.Config(**small), DataSpec(1, 16, 16))
    for norm in ("layer", "instance", "none"):
        DCGAN(DCGAN.Config(**small, discriminator_norm=norm), DataSpec(1, 16, 16))


def test_a_training_with_a_lazy_penalty_goes_on_as_if_it_had_not_been_stopped(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, *SPEC.shape), dtype=np.uint8)

    def trained(folder: Path, killed_at: int | None = None) -> dict[str, Tensor]:
        seed(0)
        small = {"generator_channels": 4, "discriminator_channels": 4, "latent_dim": 3, "discriminator_norm": "layer"}
        model, device = DCGAN(DCGAN.Config(**small, penalty="r1", penalty_interval=4), SPEC), fabric("32-true")
        batches = BatchLoader(images, None, size=8, seed=0, device=device.device)
        optim = {phase.name: Optim() for phase in model.phases()}
        train = Train(steps=9, batch_size=8, log_every_steps=1, checkpoint_every_steps=5)

        def watch(info: StepInfo) -> None:
            if info.step == killed_at:
                raise KeyboardInterrupt

        fit(model, batches, train, optim, device=device, checkpoints=Checkpoints(folder), callbacks=[watch])
        return model.state_dict()

    whole = trained(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "killed", killed_at=7)
    resumed = trained(tmp_path / "killed")
    assert int(whole["game.penalty.turns"]) == 9
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
