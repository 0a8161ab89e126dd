"""Nets that grow, against the smaller and the larger net, and the course of their growth."""

from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from genpipe.config.training import Optim, Train
from genpipe.dataset.batches import BatchLoader
from genpipe.errors import Stopped, Unsuitable
from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.models.progan import ProGAN
from genpipe.nn import augmentation, objectives
from genpipe.nn.fading import FadingDiscriminator, blurred
from genpipe.nn.growing import grown, parts
from genpipe.nn.penalties import drift
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.devices import fabric
from genpipe.training.ema import EMA
from genpipe.training.loop import fit, seed
from tests.training.test_stages import after

SPEC = DataSpec(3, 32, 32)
SMALL = {"latent_dim": 5, "generator_channels": 2, "discriminator_channels": 3, "most_channels": 8}
NONE, ALL = torch.zeros(()), torch.ones(())


def made(**knobs: object) -> ProGAN:
    torch.manual_seed(0)
    return ProGAN(ProGAN.Config(**{**SMALL, **knobs}), SPEC)


def images(size: int, n: int = 4) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_level_that_has_not_faded_in_is_the_smaller_net(level: int) -> None:
    model, z, x = made(), torch.randn(4, 5), images(4 * 2**level)
    smaller = interpolate(model.generator(z, level - 1, ALL), scale_factor=2)
    assert torch.equal(model.generator(z, level, NONE), smaller)
    assert torch.equal(model.discriminator(x, level, NONE), model.discriminator(avg_pool2d(x, 2), level - 1, ALL))


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_level_that_has_faded_in_stands_alone(level: int) -> None:
    model, z, x = made(), torch.randn(4, 5), images(4 * 2**level)
    g, d = model.generator, model.discriminator
    h = z
    for block in g.blocks[: level + 1]:
        h = block(h)
    assert torch.equal(g(z, level, ALL), g.to_image[level](h))
    h = d.from_image[level](x)
    for block in reversed(d.blocks[:level]):
        h = block(h)
    assert torch.equal(d(x, level, ALL), d.last(h))


def test_with_tanh_images_are_bounded_after_both_levels_are_added() -> None:
    linear, bounded, z = made(), made(output="tanh"), torch.randn(4, 5)
    for level in range(4):
        alpha = torch.tensor(0.3)
        torch.testing.assert_close(bounded.generator(z, level, alpha), linear.generator(z, level, alpha).tanh())


def test_halfway_images_and_what_d_sees_of_them_are_the_mean_of_both() -> None:
    model, z, half = made(), torch.randn(4, 5), torch.tensor(0.5)
    at = [model.generator(z, 2, alpha) for alpha in (NONE, half, ALL)]
    torch.testing.assert_close(at[1], (at[0] + at[2]) / 2)
    x = images(32)
    model.grown.fill_(round(1.5 * (1 << 16)))
    small = avg_pool2d(x, 2)
    expected = (small + interpolate(avg_pool2d(small, 2), scale_factor=2)) / 2
    torch.testing.assert_close(model.shrunk(x, 2), expected)
    model.grown.fill_(2 << 16)
    assert torch.equal(model.shrunk(x, 2), small)
    torch.testing.assert_close(model.shrunk(x, 0), avg_pool2d(x, 8))


def test_the_same_net_at_full_size_from_the_start_is_that_of_the_last_level() -> None:
    growing, whole, z, x = made(), made(start_size=32), torch.randn(4, 5), images(32)
    state = {name.replace("image.3", "image.0"): v for name, v in growing.state_dict().items() if "image.0" not in name}
    whole.load_state_dict({name: v for name, v in state.items() if name in whole.state_dict()})
    growing.on_step_start(0.99)
    whole.on_step_start(0.0)
    assert whole.sizes == (32,)
    assert torch.equal(whole.decode(z), growing.decode(z))
    assert torch.equal(whole.discriminator(x, 0, ALL), growing.discriminator(x, 3, ALL))
    assert [phase.during for phase in whole.phases()] == [(0.0, 1.0)] * 2


def test_the_course_of_growth() -> None:
    at = {0.0: 0, 0.1: 0, 0.15: 0, 0.225: 0.5, 0.3: 1, 0.45: 1, 0.525: 1.5, 0.6: 2, 0.8: 2, 1.0: 2}
    assert [grown(done, levels=3, share=0.6) for done in at] == pytest.approx(list(at.values()))
    flat = [edge for part in parts(3, 0.6) for edge in part]
    assert flat == pytest.approx([0, 0.15, 0.15, 0.45, 0.45, 1])
    assert parts(1, 0.6) == [(0.0, 1.0)]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("start_size", [4, 8, 16, 32])
def test_every_step_belongs_to_one_level_which_has_the_size_that_nets_have_grown_to(
    start_size: int, share: float
) -> None:
    model = made(start_size=start_size, growing_share=share)
    pairs = list(zip(model.phases()[::2], model.phases()[1::2], strict=True))
    for steps in (1, 2, 7, 100, 333):
        rows = []
        for step in range(1, steps + 1):
            due = [k for k, pair in enumerate(pairs) if pair[0].due(step, steps)]
            assert due == [k for k, pair in enumerate(pairs) if pair[1].due(step, steps)]
            rows += due
            reached = grown((step - 1) / steps, len(pairs), share)
            most = 1 / steps * (2 * len(pairs)) / share  # a part begins at a whole step
            assert due[0] - 1 - most <= reached <= due[0] + most
        assert len(rows) == steps
        assert rows == sorted(rows)


def test_a_phase_has_the_parts_that_play_at_its_level() -> None:
    model = made()
    for level in range(4):
        for player, loss in ((model.discriminator, model.discriminator_loss), (model.generator, model.generator_loss)):
            model.zero_grad(set_to_none=True)
            model.grown.fill_(round((level - 0.5) * (1 << 16)) if level else 0)
            model.loss_at(level, loss, Batch(images(32)))[0].backward()
            moved = {name for name, weight in player.named_parameters() if weight.grad is not None}
            mine = {id(weight) for weight in player.at(level).parameters()}
            assert moved == {name for name, weight in player.named_parameters() if id(weight) in mine}


def test_samples_have_the_full_size_however_far_the_nets_have_grown() -> None:
    model, rng = made(), torch.Generator()
    for done, size in ((0.0, 4), (0.2, 8), (0.4, 16), (0.9, 32)):
        model.on_step_start(done)
        x = model.sample(3, rng.manual_seed(0))
        assert x.shape == (3, 3, 32, 32)
        assert x.abs().max() <= 1
        z = model.prior(3, rng.manual_seed(0))
        expected = model.decode_at(z, size)
        assert expected.shape == (3, 3, size, size)
        torch.testing.assert_close(x, interpolate(expected, scale_factor=32 // size), rtol=1e-4, atol=1e-5)


def test_codes_lie_on_a_hypersphere() -> None:
    model, z = made(), torch.randn(4, 5)
    torch.testing.assert_close(model.decode(z), model.decode(7 * z), rtol=1e-4, atol=1e-5)


def test_an_average_of_the_weights_has_grown_as_far_as_they_have() -> None:
    model = made()
    average = EMA(model, 0.999, {})
    for step, done in enumerate((0.0, 0.2, 0.4), start=1):
        model.on_step_start(done)
        average.update(step)
    assert int(average.state_dict()["grown"]) == int(model.grown) > 0


@pytest.mark.parametrize("loss", get_args(objectives.Loss))
def test_any_loss_and_augmentation_works_at_every_level(loss: str) -> None:
    for kind in get_args(augmentation.Kind):
        if kind == "ada" and not objectives.OBJECTIVES[loss].signed:
            continue
        model = made(loss=loss, augment=kind)
        for phase in model.phases():
            value, logs = phase.loss(Batch(images(32)))
            assert torch.isfinite(value)
            assert ("drift" in logs) == (phase.name == "discriminator")


def test_drift_is_the_mean_square_of_what_d_says_of_real_images() -> None:
    said = torch.tensor([[1.0], [-3.0]])
    assert float(drift(said)) == 5.0
    model, batch = made(start_size=32, drift_weight=0.1), Batch(images(32))
    real = model.discriminator(batch.x, 0, ALL)
    _, logs = model.discriminator_loss(batch)
    torch.testing.assert_close(logs["drift"], 0.1 * real.detach().square().mean())
    assert "drift" not in made(start_size=32, drift_weight=0.0).discriminator_loss(batch)[1]
    assert ProGAN.Config().drift_weight == 1e-3


def test_the_filter_is_binomial() -> None:
    x = torch.zeros(1, 1, 5, 5)
    x[0, 0, 2, 2] = 16
    expected = torch.tensor([0.0, 1, 2, 1, 0])
    assert torch.equal(blurred(x)[0, 0], expected[:, None] * expected[None])
    assert FadingDiscriminator([8, 4, 2], 1, 3, (4, 4), blur=True)(torch.rand(2, 1, 16, 16), 2, ALL).shape == (2, 1)


@pytest.mark.parametrize("size", [12, 64])
def test_a_size_from_which_doubling_does_not_lead_to_the_images_is_refused(size: int) -> None:
    with pytest.raises(Unsuitable, match="Choose one of 4, 8, 16, 32"):
        made(start_size=size)


STEPS = 14
"""Of a training whose three levels end after 2, 5 and 14 steps."""


def trained(folder: Path, leave_after: int = -1) -> dict[str, Tensor]:
    seed(0)
    model, device = ProGAN(ProGAN.Config(**SMALL), DataSpec(1, 16, 16)), fabric("32-true")
    rows = np.random.default_rng(0).integers(0, 256, (40, 1, 16, 16), dtype=np.uint8)
    train = Train(steps=STEPS, batch_size=4, ema_halflife_images=30, log_every_steps=2, checkpoint_every_steps=100)
    optim = dict.fromkeys(("discriminator", "generator"), Optim(lr=1e-3, betas=(0.0, 0.99)))
    batches = BatchLoader(rows, None, size=4, seed=0, device=device.device)
    fit(model, batches, train, optim, device=device, checkpoints=Checkpoints(folder), stopping=after(leave_after))
    return model.state_dict()


@pytest.mark.parametrize("leave_after", [1, 3, 4, 7, 13])
def test_a_training_stopped_at_any_level_ends_in_the_same_weights(tmp_path: Path, leave_after: int) -> None:
    whole = trained(tmp_path / "whole")
    with pytest.raises(Stopped):
        trained(tmp_path / "stopped", leave_after)
    resumed = trained(tmp_path / "stopped")
    assert int(whole["grown"]) == 2 << 16
    assert all(torch.equal(weight, resumed[name]) for name, weight in whole.items())


def test_pieces_are_of_one_length() -> None:
    edges = [begin for begin, _ in parts(4, 0.6)]
    assert np.diff(edges) == pytest.approx([0.1, 0.2, 0.2])
    assert all(a[1] == b[0] for a, b in pairwise(parts(4, 0.6)))
