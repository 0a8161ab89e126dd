"""What tells one autoencoder from another, against plain computations."""

from itertools import pairwise

import pytest
import torch
from torch.nn.functional import binary_cross_entropy

from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.models.ae import AE
from genpipe.models.denoising_ae import DenoisingAE
from genpipe.models.sparse_ae import SparseAE
from genpipe.models.stacked_denoising_ae import StackedDenoisingAE
from genpipe.models.tied_ae import TiedAE
from genpipe.nn.autoencoding import l1, sparsity

SPEC = DataSpec(1, 8, 8)
SMALL = {"architecture": "mlp", "widths": [16], "latent_dim": 4}


def batch() -> Batch:
    return Batch(torch.rand(6, *SPEC.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1)


@pytest.mark.parametrize("widths", [[], [20], [20, 10]])
def test_the_way_back_shares_its_weights_and_has_none_of_its_own(widths: list[int]) -> None:
    tied, untied = (TiedAE(TiedAE.Config(widths=widths, latent_dim=5, tied=tied), SPEC) for tied in (True, False))
    sizes = list(pairwise([64, *widths, 5]))
    weights, biases = sum(i * o for i, o in sizes), sum(i + o for i, o in sizes)
    assert sum(p.numel() for p in tied.parameters()) == weights + biases
    assert sum(p.numel() for p in untied.parameters()) == 2 * weights + biases
    storages = {p.untyped_storage().data_ptr() for p in tied.parameters() if p.ndim == 2}
    assert len(storages) == len(sizes)
    assert not any("back_weight" in name for name, _ in tied.named_parameters())


def test_a_tied_net_is_what_its_equations_say() -> None:
    model, x = TiedAE(TiedAE.Config(latent_dim=5), SPEC), batch().x
    (layer,) = model.layers
    for bias in (layer.bias, layer.back_bias):
        torch.nn.init.normal_(bias)
    z = torch.sigmoid((x.flatten(1) + 1) / 2 @ layer.weight.T + layer.bias)
    expected = 2 * torch.sigmoid(z @ layer.weight + layer.back_bias) - 1
    torch.testing.assert_close(model.encode(x), z)
    torch.testing.assert_close(model.reconstruct(x), expected.unflatten(1, SPEC.shape))


def test_codes_of_sigmoids_are_drawn_between_0_and_1() -> None:
    z = TiedAE(TiedAE.Config(latent_dim=5), SPEC).prior(1000, torch.Generator().manual_seed(0))
    assert 0 <= z.min() < 0.01 < 0.99 < z.max() <= 1


def test_the_penalty_pulls_every_unit_with_its_weight() -> None:
    z = torch.tensor([[1.5, -2.0, 3.0], [0.5, 0.1, -4.0]], requires_grad=True)
    assert l1(z).item() == pytest.approx((6.5 + 4.6) / 2)
    l1(z).backward()
    assert torch.equal(z.grad, z.detach().sign() / 2)


def test_the_sparse_loss_is_the_error_and_the_weighted_penalty() -> None:
    model, x = SparseAE(SparseAE.Config(**SMALL, l1_weight=0.7), SPEC), batch().x
    z = model.encode(x)
    error = (x - model.decode(z)).square().sum((1, 2, 3)).mean()
    loss, logs = model.loss(Batch(x))
    assert (z >= 0).all()
    torch.testing.assert_close(loss, error + 0.7 * z.sum(1).mean())
    torch.testing.assert_close(logs["squared_error"], error.detach())


def test_silence_is_relative_to_the_other_units() -> None:
    z = torch.tensor([[0.0, 1.0, 0.001, -2.0]])
    assert sparsity(z) == sparsity(1000 * z) == 0.5
    assert sparsity(torch.zeros(2, 3)) == 1


def test_a_denoiser_is_given_corrupted_images_and_compared_with_clean_ones() -> None:
    model, x = DenoisingAE(DenoisingAE.Config(**SMALL, amount=1.0), SPEC), batch().x
    black = model.reconstruct(torch.full_like(x, -1.0))
    torch.testing.assert_close(model.loss(Batch(x))[0], (x - black).square().sum((1, 2, 3)).mean())
    clean = DenoisingAE(DenoisingAE.Config(**SMALL, amount=0.0), SPEC)
    plain = AE(AE.Config(**SMALL), SPEC)
    plain.load_state_dict(clean.state_dict())
    torch.testing.assert_close(clean.loss(Batch(x))[0], plain.loss(Batch(x))[0])


@pytest.mark.parametrize("k", [0, 1])
def test_a_layer_learns_to_restore_the_clean_code_below_it(k: int) -> None:
    model = StackedDenoisingAE(StackedDenoisingAE.Config(widths=[20], latent_dim=5, amount=1.0), SPEC)
    x = batch().x
    h = [(x.flatten(1) + 1) / 2]
    h.append(torch.sigmoid(h[0] @ model.layers[0].weight.T + model.layers[0].bias).detach())
    layer = model.layers[k]
    y = torch.sigmoid(torch.zeros_like(h[k]) @ layer.weight.T + layer.bias)
    restored = torch.sigmoid(y @ layer.weight + layer.back_bias)
    loss, logs = model.layer_loss(k, Batch(x))
    torch.testing.assert_close(loss, binary_cross_entropy(restored, h[k], reduction="none").sum(1).mean())
    assert set(logs) == {f"layer_{k + 1}_nats"}
    loss.backward()
    assert {n for n, p in model.named_parameters() if p.grad is not None} <= {f"layers.{k}.{n}" for n in NAMES}


NAMES = ("weight", "bias", "back_bias")


@pytest.mark.parametrize("share", [0.0, 0.6, 1.0])
def test_layers_are_trained_from_below_in_equal_parts_and_then_all(share: float) -> None:
    knobs = StackedDenoisingAE.Config(widths=[20, 10], latent_dim=5, pretraining_share=share)
    model = StackedDenoisingAE(knobs, SPEC)
    *pretraining, finetuning = model.phases()
    assert [phase.module for phase in pretraining] == list(model.layers)
    windows = [phase.window(30) for phase in pretraining]
    expected = {0.0: [(0, 0)] * 3, 0.6: [(0, 6), (6, 12), (12, 18)], 1.0: [(0, 10), (10, 20), (20, 30)]}
    assert windows == expected[share]
    assert finetuning.window(30) == (windows[-1][1], 30)
    assert finetuning.module is model
