"""Styles, noise, mixing, truncation in W and path lengths."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from genpipe.analyses.path_length import PathLength
from genpipe.analyses.style_mixing import StyleMixing, mixed
from genpipe.config.training import Optim, Train
from genpipe.dataset.batches import BatchLoader
from genpipe.errors import Stopped
from genpipe.interfaces.phases import Batch
from genpipe.interfaces.sampling import sampling_with
from genpipe.interfaces.spec import DataSpec
from genpipe.models.stylegan import StyleGAN
from genpipe.nn import penalties
from genpipe.nn.modulation import ConditionalNorm
from genpipe.nn.styled import ConstantInput, mapping
from genpipe.training.checkpoints import Checkpoints
from genpipe.training.devices import fabric
from genpipe.training.loop import fit, seed
from tests.analyses._toys import context
from tests.training.test_stages import after

SPEC = DataSpec(1, 16, 16)
SMALL = {
    "latent_dim": 5, "style_dim": 6, "mapping_layers": 2, "generator_channels": 4, "discriminator_channels": 4
}  # fmt: skip


def made(spec: DataSpec = SPEC, noisy: bool = True, **knobs: object) -> StyleGAN:
    """One whose nets are whole, and whose noise and styles count."""
    torch.manual_seed(0)
    model = StyleGAN(StyleGAN.Config(**{**SMALL, "start_size": spec.height, **knobs}), spec)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "strength" in name and noisy:
                weight.normal_()
    return model


def rng(number: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def batch(n: int = 4) -> Batch:
    return Batch(torch.rand(n, *SPEC.shape, generator=rng()) * 2 - 1)


def test_the_mapping_learns_at_its_own_rate_and_draws_the_same_styles() -> None:
    found = []
    for rate in (1.0, 0.01):
        torch.manual_seed(3)
        net = mapping(4, 8, 3, rate)
        w = net(torch.randn(5, 4, generator=rng()))
        before = w.detach()
        moving = torch.optim.SGD(net.parameters(), lr=1.0)
        for weight in net.parameters():
            weight.grad = torch.ones_like(weight)
        moving.step()
        layer = net[1]
        found.append((before, layer.weight.detach(), layer.bias.detach()))
    torch.testing.assert_close(found[0][0], found[1][0])
    torch.testing.assert_close(found[1][2], 0.01 * found[0][2])
    torch.manual_seed(3)
    start = mapping(4, 8, 3, 1.0)[1].weight.detach()
    torch.testing.assert_close(found[1][1] - start, 0.01 * (found[0][1] - start), rtol=1e-3, atol=1e-6)


def test_every_image_starts_from_the_same_constant_and_hears_its_style_at_every_layer() -> None:
    model = made()
    norms = [m for m in model.generator.modules() if isinstance(m, ConditionalNorm)]
    assert len(norms) == model.style_layers == 6, "two for each of 4, 8 and 16"
    assert len([m for m in model.generator.modules() if isinstance(m, ConstantInput)]) == 1
    w = model.style(model.prior(1, rng())).repeat(1, 6, 1).reshape(1, 6, -1)
    plain = model.from_styles(w)
    for layer in range(6):
        moved = w.clone()
        moved[:, layer] += 1
        assert not torch.equal(model.from_styles(moved), plain), layer


def test_noise_is_new_in_samples_and_kept_in_images_of_codes() -> None:
    model = made()
    z = model.prior(2, rng())
    assert torch.equal(model.decode(z), model.decode(z))
    torch.testing.assert_close(model.decode(z)[:1], model.decode(z[:1]), msg="an image is of its code alone")
    assert torch.equal(model.sample(2, rng()), model.sample(2, rng()))
    one, two = (model._drawn(model._repeated(model.style(z)), model.generator.noise(2, rng=rng(k))) for k in (1, 2))
    assert not torch.equal(one, two)
    other = StyleGAN(StyleGAN.Config(**{**SMALL, "start_size": 16}), SPEC)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.decode(z), model.decode(z)), "the noise is kept with the weights"


def test_the_styles_of_one_code_make_the_image_of_that_code() -> None:
    model = made()
    z = model.prior(3, rng())
    w = model.style(z)[:, None].expand(-1, model.style_layers, -1)
    assert torch.equal(model.from_styles(w), model.decode(z))
    a = w.detach().numpy()
    for name in ("coarse", "middle", "fine"):
        assert (mixed(a, a, name) == a).all()
    assert [np.flatnonzero((mixed(a, a + 1, name) != a)[0, :, 0]).tolist() for name in ("coarse", "fine")] == [
        [0, 1],
        [4, 5],
    ]


def test_training_mixes_the_styles_of_two_codes_at_a_layer() -> None:
    model = made(mixing_probability=0.5)
    w = model.style(torch.randn(400, 5))
    styles = model.mixed(w, layers=6)
    own = (styles == w[:, None]).all(2)
    assert own[:, 0].all(), "the first layer keeps its own"
    assert (own.int().diff(dim=1) <= 0).all(), "and from some layer on it is the other's"
    assert 0.4 < own.all(1).float().mean() < 0.6
    assert set(own.sum(1).tolist()) == {1, 2, 3, 4, 5, 6}
    never = made(mixing_probability=0.0)
    w = never.style(torch.randn(4, 5))
    assert torch.equal(never.mixed(w, layers=6), w[:, None].expand(-1, 6, -1))
    few = model.mixed(model.style(torch.randn(50, 5)), layers=2)
    assert (few[:, 1:] == few[:, 1:2]).all(), "layers beyond the level have no part in it"


def test_truncation_in_w_leads_from_the_mean_image_to_the_sample() -> None:
    model = made(noisy=False)
    for _ in range(30):
        model.discriminator_loss(batch(32))
    mean = model.from_styles(model.mean_style.expand(3, model.style_layers, -1))

    def truncated(psi: float) -> Tensor:
        with sampling_with(model, truncation=psi):
            return model.sample(3, rng())

    torch.testing.assert_close(truncated(0.0), mean)
    assert torch.equal(truncated(1.0), model.sample(3, rng()))
    far = [(truncated(psi) - mean).square().sum() for psi in (0.1, 0.5, 1.0)]
    assert far[0] < far[1] < far[2]


def test_the_mean_style_follows_the_styles_of_the_training() -> None:
    model = made()
    expected = model.style(torch.randn(20_000, 5, generator=rng())).mean(0)
    for _ in range(600):
        model.generate(torch.randn(64, 5), batch(1))
    torch.testing.assert_close(model.mean_style, expected, rtol=0, atol=0.15 * float(expected.detach().abs().max()))


def test_path_lengths_are_those_of_the_jacobian(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(DataSpec(1, 8, 8), start_size=8).double()
    w = model.style(torch.randn(3, 5).double()).detach()
    noise = [n.double() for n in model.generator.kept_noise]
    whole = torch.ones((), dtype=torch.float64)

    def draw(styles: Tensor) -> Tensor:
        styles = styles.double()[:, None].expand(-1, model.style_layers, -1)
        return model.generator.drawn(styles, 0, whole, noise)

    y = torch.randn(3, 1, 8, 8, generator=rng()).double()
    monkeypatch.setattr(torch, "randn_like", lambda like: y)
    found = penalties.path_lengths(draw, w.requires_grad_(True))
    for k in range(3):
        jacobian = torch.autograd.functional.jacobian(draw, w[k : k + 1].detach())[0, :, :, :, 0]
        expected = torch.einsum("chwd,chw->d", jacobian, y[k] / 8).norm()
        torch.testing.assert_close(found[k].double(), expected, rtol=1e-4, atol=1e-6)


def test_uneven_paths_cost_the_generator_at_every_kth_turn() -> None:
    model = made(path_length_weight=2.0, path_length_interval=3)
    noted = [model.generator_loss(batch())[1] for _ in range(4)]
    assert ["path_length" in logs for logs in noted] == [True, False, False, True]
    loss, _ = model.generator_terms(torch.zeros(4, 1, 16, 16), torch.zeros(4, 1), batch()), None
    assert loss == {}
    term = penalties.PathLength(2.0, 1)
    codes = torch.randn(6, 4, requires_grad=True)
    monotone = term(lambda w: (3 * w).view(6, 1, 2, 2), lambda: codes)["path_length"]
    assert float(term.mean) > 0
    assert monotone.shape == ()
    assert penalties.PathLength(0.0, 1)(lambda w: w.view(6, 1, 2, 2), lambda: codes) == {}


def test_an_uneven_path_reaches_every_weight_before_it() -> None:
    model = made(path_length_weight=2.0, path_length_interval=1)
    model.generator_terms(torch.zeros(4, 1, 16, 16), torch.zeros(4, 1), batch())["path_length"].backward()
    moved = {name for name, weight in model.generator.named_parameters() if weight.grad is not None}
    assert any("to_style" in name for name in moved)
    assert any("between" in name for name in moved)


def test_analyses_of_styles_find_which_layers_decide() -> None:
    model = made().eval()
    with torch.no_grad():
        for norm in [m for m in model.generator.modules() if isinstance(m, ConditionalNorm)][2:]:
            norm.scale.parametrizations.weight.original.zero_()
            norm.shift.parametrizations.weight.original.zero_()
    looked_at = context(model)
    found = StyleMixing(StyleMixing.Config(pairs=20, sources=2, others=1)).run(looked_at)
    assert found.numbers["style_mixing_coarse_follows"] == 1
    assert found.numbers["style_mixing_middle_follows"] == found.numbers["style_mixing_fine_follows"] == 0
    picture, caption = found.pictures["style_mixing"]
    assert picture.shape == (4 * 18 + 2, 3 * 18 + 2, 1)
    assert "100%, 0%, 0%" in caption


def test_a_path_in_w_is_as_long_as_one_in_z_where_styles_are_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(latent_dim=6).eval()
    monkeypatch.setattr(model.generator, "to_style", torch.nn.Identity())
    looked_at = context(model)
    found = PathLength(PathLength.Config(samples=300, images=3)).run(looked_at)
    assert found.pictures["path_length"][0].shape == (6 * 18 + 2, 3 * 18 + 2, 1)
    monkeypatch.setattr("genpipe.analyses.path_length.spherical", lambda a, b, t: a + t * (b - a))
    same = PathLength(PathLength.Config(samples=300, images=3)).run(looked_at).numbers
    assert same["path_length_z"] == pytest.approx(same["path_length_w"], rel=1e-3)
    assert same["path_length_z_ends"] == pytest.approx(same["path_length_w_ends"], rel=1e-3)
    assert same["path_length_w"] == pytest.approx(found.numbers["path_length_w"])


def trained(folder: Path, leave_after: int = -1) -> dict[str, Tensor]:
    seed(0)
    knobs = {**SMALL, "start_size": 4, "path_length_weight": 2.0, "path_length_interval": 2}
    model, device = StyleGAN(StyleGAN.Config(**knobs), SPEC), fabric("32-true")
    rows = np.random.default_rng(0).integers(0, 256, (40, *SPEC.shape), dtype=np.uint8)
    train = Train(steps=12, batch_size=4, ema_halflife_images=30, log_every_steps=2, checkpoint_every_steps=100)
    optim = dict.fromkeys(("discriminator", "generator"), Optim(lr=1e-3, betas=(0.0, 0.99)))
    batches = BatchLoader(rows, None, size=4, seed=0, device=device.device)
    fit(model, batches, train, optim, device=device, checkpoints=Checkpoints(folder), stopping=after(leave_after))
    return model.state_dict()


@pytest.mark.parametrize("leave_after", [1, 3, 8])
def test_a_training_that_was_stopped_ends_in_the_same_weights(tmp_path: Path, leave_after: int) -> None:
    whole = trained(tmp_path / "whole")
    with pytest.raises(Stopped):
        trained(tmp_path / "stopped", leave_after)
    resumed = trained(tmp_path / "stopped")
    assert all(torch.equal(weight, resumed[name]) for name, weight in whole.items())
