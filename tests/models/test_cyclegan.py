"""CycleGAN: losses of a hand-made table, balanced domains, exact resume with its pool."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from genpipe.analyses._errors import absolute_error
from genpipe.analyses.cycle_consistency import CycleConsistency, translated
from genpipe.dataset.batches import BatchLoader, StoredField
from genpipe.errors import Unsuitable, UsageError
from genpipe.interfaces.phases import Batch
from genpipe.interfaces.sampling import sampling_with
from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.models.cyclegan import CycleGAN, correlation
from tests.analyses._toys import context

DOMAIN = FieldSpec("class", (), 2, ("dark", "bright"))
SPEC = DataSpec(1, 8, 8, fields={"domain": DOMAIN})
SMALL = {"generator_channels": 2, "generator_blocks": 1, "discriminator_channels": 2, "discriminator_halvings": 1}


class Map(nn.Module):
    """A function of images as a net."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def made(into_dark: Callable[[Tensor], Tensor], into_bright: Callable[[Tensor], Tensor], **knobs: float) -> CycleGAN:
    """A model whose generators are these functions, and whose discriminators say the mean of an image."""
    model = CycleGAN(CycleGAN.Config(**SMALL, **knobs), SPEC)
    model.generators = nn.ModuleList([Map(into_dark), Map(into_bright)])
    model.discriminators = nn.ModuleList([Map(lambda x: x.mean((1, 2, 3))[:, None]) for _ in range(2)])
    return model


def batch() -> Batch:
    """Two dark images of −0.5, two bright ones of 0.25."""
    x = torch.tensor([-0.5, 0.25, -0.5, 0.25])[:, None, None, None].expand(4, 1, 8, 8)
    return Batch(x, None, {"domain": torch.tensor([0, 1, 0, 1])})


def test_losses_are_those_of_a_hand_made_table() -> None:
    """To dark: x − 0.5, so bright 0.25 → −0.25; to bright: x + 1, so dark −0.5 → 0.5."""
    model = made(lambda x: x - 0.5, lambda x: x + 1, cycle_weight=10.0, identity_weight=5.0)
    loss, logs = model.generator_loss(batch())
    cycle = abs((-0.5 + 1 - 0.5) - -0.5) + abs((0.25 - 0.5 + 1) - 0.25)
    identity = 0.5 + 1.0  # |G_d(x_d) − x_d|
    opinions = (-0.25 - 1) ** 2 / 2 + (0.5 - 1) ** 2 / 2
    assert float(logs["cycle"]) == pytest.approx(10 * cycle)
    assert float(logs["identity"]) == pytest.approx(5 * identity)
    assert float(loss) == pytest.approx(opinions + 10 * cycle + 5 * identity)
    of_d, _ = model.discriminator_loss(batch())
    dark, bright = (-0.5 - 1) ** 2 / 2 + 0.25**2 / 2, (0.25 - 1) ** 2 / 2 + 0.5**2 / 2
    assert float(of_d) == pytest.approx(dark + bright)


def test_penalties_and_augmentation_are_those_of_all_gans() -> None:
    """D says the sum of all 64 values, so that its gradient is one everywhere, of length 8."""
    model = made(lambda x: x - 0.5, lambda x: x + 1, penalty="r1", penalty_weight=3.0, discriminator_steps=2)
    model.discriminators = nn.ModuleList([Map(lambda x: x.sum((1, 2, 3))[:, None]) for _ in range(2)])
    loss, logs = model.discriminator_loss(batch())
    assert float(logs["penalty_of_0"]) == float(logs["penalty_of_1"]) == pytest.approx(3 * 64 / 2)
    without, _ = made(lambda x: x - 0.5, lambda x: x + 1, penalty="none").discriminator_loss(batch())
    assert model.phases()[0].repeats == 2
    expected = sum((64 * real - 1) ** 2 / 2 + (64 * fake) ** 2 / 2 for real, fake in ((-0.5, -0.25), (0.25, 0.5)))
    assert float(loss) == pytest.approx(expected + 2 * 3 * 64 / 2)
    assert float(without) < float(loss)


def test_discriminators_see_augmented_images_of_both_kinds() -> None:
    model, seen = made(lambda x: x, lambda x: x, augment="diffaugment"), list[Tensor]()

    def noted(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.mean((1, 2, 3))[:, None]

    model.discriminators = nn.ModuleList([Map(noted) for _ in range(2)])
    torch.manual_seed(0)
    model.discriminator_loss(batch())
    model.generator_loss(batch())
    assert len(seen) == 6, "real and translated for D, translated for G, of two domains"
    assert all(float(x.std()) > 0 for x in seen), "images of one color are cut and moved"


def test_a_penalty_between_domains_of_unequal_number_takes_the_common_one() -> None:
    model = made(lambda x: x - 0.5, lambda x: x + 1, penalty="wgan-gp", loss="wasserstein")
    x = torch.tensor([-0.5, 0.25, -0.5])[:, None, None, None].expand(3, 1, 8, 8)
    _, logs = model.discriminator_loss(Batch(x, None, {"domain": torch.tensor([0, 1, 0])}))
    assert float(logs["penalty_of_0"]) == pytest.approx(10 * (1 / 8 - 1) ** 2, rel=1e-5)


def test_inverted_colors_are_seen_in_the_curves() -> None:
    x = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert float(correlation(x, -x)) == pytest.approx(-1, abs=1e-5)
    assert float(correlation(x, 0.5 * x + 0.1)) == pytest.approx(1, abs=1e-5)
    given = Batch(x, None, {"domain": torch.tensor([0, 1, 0, 1])})
    _, logs = made(lambda x: -x, lambda x: x).generator_loss(given)
    assert float(logs["correlation_to_0"]) == pytest.approx(-1, abs=1e-5)
    assert float(logs["correlation_to_1"]) == pytest.approx(1, abs=1e-5)


def test_a_batch_has_half_of_each_domain() -> None:
    images, domain = np.zeros((50, 1, 8, 8), np.uint8), np.array([0] * 40 + [1] * 10)
    fields = {"domain": StoredField(domain, DOMAIN)}
    loader = BatchLoader(
        images, None, size=8, seed=0, device=torch.device("cpu"), fields=fields, second=domain.astype(bool)
    )
    assert [int(loader.batch(k).fields["domain"].sum()) for k in range(20)] == [4] * 20


def test_the_domain_to_translate_into_is_an_option_of_sampling() -> None:
    model = made(lambda x: x - 0.5, lambda x: x + 0.5)
    x = torch.zeros(1, 1, 8, 8)
    assert model.target == 1
    assert float(model.sample_for({"x": x}, torch.Generator()).mean()) == 0.5
    with sampling_with(model, to=0):
        assert float(model.sample_for({"x": x}, torch.Generator()).mean()) == -0.5
    with pytest.raises(UsageError, match="`to` is 2"), sampling_with(model, to=2):
        pass


def test_more_than_two_domains_are_refused() -> None:
    spec = DataSpec(1, 8, 8, fields={"domain": FieldSpec("class", (), 3)})
    with pytest.raises(Unsuitable, match="has 3 values; a cyclegan has two domains"):
        CycleGAN(CycleGAN.Config(**SMALL), spec)


def test_what_hides_between_two_levels_does_not_come_back() -> None:
    """What a generator hides between the levels of gray comes back exactly, unless the image is rounded."""

    def cheat(x: Tensor) -> Tensor:
        return x * 1e-3

    model = made(lambda x: x * 1e3, cheat)
    x = np.random.default_rng(0).integers(0, 256, (4, 1, 8, 8), dtype=np.uint8)
    exact = model.translate_to(model.translate_to(torch.from_numpy(x).float(), 1), 0)
    assert torch.allclose(exact, torch.from_numpy(x).float(), rtol=1e-4)
    back = translated(model, translated(model, x, 1), 0)
    assert absolute_error(x, back) > 50


def test_figures_of_cycles_are_those_of_known_translations() -> None:
    """The domain is whether the first band is bright; one generator inverts, and the other keeps images."""
    given = context(made(lambda x: x, lambda x: x))
    for images in (given.real.training, given.real.held_out):
        object.__setattr__(images, "factors", {"domain": np.asarray(images.labels)})
    kept = CycleConsistency(CycleConsistency.Config(images=2)).run(given)
    assert kept.numbers["domain_accuracy_real"] > 0.9
    assert kept.numbers["domain_accuracy_to_1"] < 0.1, "what stays as it is does not arrive"
    assert (kept.numbers["cycle_error_to_0"], kept.numbers["translation_change_to_1"]) == (0, 0)
    inverted = context(made(lambda x: -x, lambda x: -x))
    for images in (inverted.real.training, inverted.real.held_out):
        object.__setattr__(images, "factors", {"domain": np.asarray(images.labels)})
    found = CycleConsistency(CycleConsistency.Config(images=2)).run(inverted)
    assert found.numbers["domain_accuracy_to_1"] > 0.9
    assert found.numbers["cycle_error_to_1"] <= 1
    assert found.numbers["content_accuracy_to_1"] < 0.1
    picture, _ = found.pictures["cycle_consistency"]
    assert picture.shape == (2 * (8 + 2) + 2, 6 * (8 + 2) + 2, 3)
