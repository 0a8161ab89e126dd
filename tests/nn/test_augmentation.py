"""Augmentation against loops, its probability, and its place in a training."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from genpipe.config.training import Optim, Train
from genpipe.dataset.batches import BatchLoader
from genpipe.interfaces.spec import DataSpec
from genpipe.models.dcgan import DCGAN
from genpipe.nn import augmentation
from genpipe.nn.affine import lines, moved, sampling, transposed, warped
from genpipe.nn.augmentation import ADA, Augmentation, DiffAugment
from genpipe.training.callbacks import StepInfo
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.devices import fabric
from genpipe.training.loop import fit, seed

SPEC = DataSpec(1, 8, 8)


def ada(p: float) -> ADA:
    made = ADA(1000)
    made.p.fill_(p)
    return made


def plain(x: Tensor, dy: float, dx: float, mirrored: bool) -> Tensor:
    """Pixel i of the new image from place i + d of the old, between four pixels, loop by loop."""

    def at(image: Tensor, i: int, j: int) -> float:
        h, w = image.shape
        if mirrored:
            i, j = (n - 1 - abs(n - 1 - k % (2 * n - 2)) for k, n in ((i, h), (j, w)))
        return float(image[i, j]) if 0 <= i < h and 0 <= j < w else 0.0

    out = torch.zeros_like(x)
    for n, c, i, j in np.ndindex(*x.shape):
        y, z = i + dy, j + dx
        top, left = int(np.floor(y)), int(np.floor(z))
        out[n, c, i, j] = sum(
            (1 - abs(y - a)) * (1 - abs(z - b)) * at(x[n, c], a, b) for a in (top, top + 1) for b in (left, left + 1)
        )
    return out


@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize(("dy", "dx"), [(0, 0), (2, -3), (0.25, 1.5), (-6, 7)])
def test_images_move_as_in_a_loop(mirrored: bool, dy: float, dx: float) -> None:
    x = torch.randn(2, 3, 5, 5)
    found = warped(x, sampling(lines(x, 2) + dy, mirrored), sampling(lines(x, 3) + dx, mirrored))
    torch.testing.assert_close(found, plain(x, dy, dx, mirrored), rtol=1e-4, atol=1e-5)


def test_some_images_are_transposed() -> None:
    x = torch.randn(2, 1, 3, 3)
    assert torch.equal(transposed(x, torch.tensor([True, False])), torch.stack([x[0].mT, x[1]]))


def test_none_leaves_images_and_random_numbers_alone() -> None:
    x, state = torch.randn(2, 1, 8, 8), torch.get_rng_state()
    assert Augmentation()(x) is x
    assert torch.equal(torch.get_rng_state(), state)


def test_diffaugment_does_what_the_paper_says() -> None:
    made, x = DiffAugment(), torch.full((400, 3, 16, 16), 0.3)
    seen = made(x)
    assert seen.shape == x.shape
    gray = seen.sum((1, 2, 3)) / (seen != 0).sum((1, 2, 3))
    assert -0.201 < gray.min() < -0.1
    assert 0.7 < gray.max() < 0.801, "brightness within ±0.5; contrast and saturation do nothing to one gray"
    zeros = (seen == 0).float().mean((1, 2, 3))
    assert zeros.min() > 0, "a square is cut from every image"
    assert zeros.max() <= 0.25 + 2 * 0.125
    shifts = {int(n) for n in (moved(x, 1 / 8, mirrored_border=False)[:, 0, 8] == 0).sum(1)}
    assert shifts == {0, 1, 2}, "an eighth of 16 pixels at most"
    cut = (made._cut(x)[:, 0] == 0).sum((1, 2))
    assert cut.max() == 64
    assert cut.min() >= 16


def test_diffaugment_scales_what_differs_from_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augmentation, "moved", lambda x, share, mirrored_border: x)
    torch.manual_seed(0)
    x = torch.randn(1, 1, 6, 6).expand(300, -1, -1, -1)
    made = DiffAugment()
    made._cut = lambda x: x  # type: ignore[method-assign]
    spread = made(x).std((1, 2, 3)) / x[0].std()
    assert 0.5 <= spread.min() < 0.55
    assert 1.45 < spread.max() <= 1.5


@pytest.mark.parametrize("made", [DiffAugment(), ada(1.0)])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_gradients_of_any_order_flow_through(made: Augmentation, channels: int) -> None:
    x = torch.randn(4, channels, 8, 8, requires_grad=True)
    (first,) = torch.autograd.grad(made(x).pow(3).sum(), x, create_graph=True)
    assert (first.flatten(1).abs().sum(1) > 0).all()
    (second,) = torch.autograd.grad(first.square().sum(), x)
    assert torch.isfinite(second).all()
    assert (second.flatten(1).abs().sum(1) > 0).all()


def test_at_p_0_ada_changes_nothing_and_at_p_1_everything() -> None:
    x = torch.randn(100, 3, 8, 8)
    torch.testing.assert_close(ada(0)(x), x, rtol=1e-4, atol=1e-5)
    assert ((ada(1)(x) - x).abs().amax((1, 2, 3)) > 0.01).all()


@pytest.mark.parametrize("p", [0.0, 0.3, 0.8])
def test_each_change_is_made_with_probability_p(p: float) -> None:
    made, n = ada(p), 20_000
    assert float(made._chosen(torch.zeros(n, 1, 1, 1)).float().mean()) == pytest.approx(p, abs=0.015)
    gray = made._colored(torch.zeros(n, 1, 1, 1))
    assert float((gray != 0).float().mean()) == pytest.approx(p, abs=0.015), "brightness alone moves 0"
    corner = torch.zeros(n, 1, 9, 9)
    corner[:, :, 0, 0] = 1
    made.SCALED = made.MOVED = 0.0
    kept = (made._placed(corner)[:, 0, 0, 0] > 0.5).float().mean()
    assert float(kept) == pytest.approx((1 - p / 2) * (1 - p * 3 / 4) + p / 2 * p / 4, abs=0.015)


def test_turns_and_mirroring_are_those_of_the_square() -> None:
    x = torch.randn(1, 1, 5, 5).expand(300, -1, -1, -1)
    made = ada(1.0)
    made.SCALED = made.MOVED = 0.0
    seen = made._placed(x)
    group = [torch.rot90(y, k, (1, 2)) for y in (x[0], x[0].flip(2)) for k in range(4)]
    near = torch.stack([(seen - y).abs().amax((1, 2, 3)) < 1e-5 for y in group])
    assert (near.sum(0) == 1).all()
    assert (near.sum(1) > 15).all(), "each of the eight, about equally often"


def test_what_is_not_square_is_turned_by_halves_alone() -> None:
    x = torch.randn(1, 1, 4, 7).expand(300, -1, -1, -1)
    made = ada(1.0)
    made.SCALED = made.MOVED = 0.0
    seen = made._placed(x)
    group = [x[0], x[0].flip(1), x[0].flip(2), x[0].flip((1, 2))]
    near = torch.stack([(seen - y).abs().amax((1, 2, 3)) < 1e-5 for y in group])
    assert (near.sum(0) == 1).all()
    assert (near.sum(1) > 40).all(), "each of the four, about equally often"


def test_color_keeps_gray_gray_and_turns_hues_about_it() -> None:
    made = ada(1.0)
    gray = made._colored(torch.rand(50, 1, 4, 4).expand(-1, 3, -1, -1))
    assert float((gray - gray.mean(1, keepdim=True)).abs().max()) < 1e-5
    made.SATURATED = made.CONTRAST = made.BRIGHTER = 0.0
    x = torch.rand(50, 3, 4, 4)
    apart = [(y - y.mean(1, keepdim=True)).square().sum(1) for y in (x, made._colored(x))]
    torch.testing.assert_close(apart[0], apart[1], rtol=1e-3, atol=1e-4)


def test_p_follows_the_sign_of_what_d_says_and_stays_a_probability() -> None:
    made, sure, unsure = ADA(100), torch.ones(5, 1), torch.tensor([[1.0], [1], [1], [-1], [-1]])
    seen = []
    for said in [sure] * 8 + [unsure] * 20:
        made.update(said)
        seen.append(float(made.p))
    assert seen[:8] == pytest.approx([0] * 3 + [0.2] * 4 + [0.4])
    assert seen[8:] == pytest.approx([0.4] * 3 + [0.2] * 4 + [0.0] * 13), "falls as fast, and not below 0"
    for _ in range(60):
        made.update(sure)
    assert float(made.p) == 1


def test_ada_needs_a_loss_with_a_sign() -> None:
    for loss in ("wasserstein", "least-squares", "relativistic-average"):
        with pytest.raises(ValidationError, match="sign of D's logits"):
            DCGAN.Config(augment="ada", loss=loss)
    DCGAN.Config(augment="ada", loss="hinge")


@pytest.mark.parametrize("augment", ["diffaugment", "ada"])
def test_a_training_goes_on_as_if_it_had_not_been_stopped(tmp_path: Path, augment: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, *SPEC.shape), dtype=np.uint8)

    def trained(folder: Path, killed_at: int | None = None) -> dict[str, Tensor]:
        seed(0)
        small = {"generator_channels": 4, "discriminator_channels": 4, "latent_dim": 3}
        model, device = DCGAN(DCGAN.Config(**small, augment=augment, ada_ramp_images=40), SPEC), fabric("32-true")
        batches = BatchLoader(images, None, size=8, seed=0, device=device.device)
        optim = {phase.name: Optim(lr=0.01) for phase in model.phases()}
        train = Train(steps=11, batch_size=8, log_every_steps=1, checkpoint_every_steps=6)

        def watch(info: StepInfo) -> None:
            if info.step == killed_at:
                raise KeyboardInterrupt

        fit(model, batches, train, optim, device=device, checkpoints=Checkpoints(folder), callbacks=[watch])
        return model.state_dict()

    whole = trained(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "killed", killed_at=9)
    resumed = trained(tmp_path / "killed")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert augment != "ada" or int(whole["game.augment.turns"]) == 11
