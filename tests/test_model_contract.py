"""What every system keeps, asked of each by the name of its file: a new one is tested without being mentioned."""

import copy
import io
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from genpipe import registry
from genpipe.data._batches import Batches
from genpipe.errors import Unsuitable
from genpipe.interfaces import (
    Decodes,
    Encodes,
    Generates,
    GeneratesClasses,
    Generative,
    HasFeatures,
    HasImportanceWeights,
    HasLikelihood,
    ImageSpec,
    Reconstructs,
)
from genpipe.sampling import Portable, draw
from genpipe.training.devices import fabric
from genpipe.training.knobs import Optim, Train
from genpipe.training.loop import fit, seed

SPECS = [ImageSpec(1, 8, 8, ("a", "b")), ImageSpec(3, 16, 16, ("a", "b"))]


def build(name: str, spec: ImageSpec) -> Generative:
    """A small model of a system: every width and depth is cut down where its Config has one."""
    system = registry.load("models", name)
    small = {"widths": [8, 8], "latent_dim": 3, "generator_channels": 4, "discriminator_channels": 4}
    known = {key: value for key, value in small.items() if key in system.Config.model_fields}
    torch.manual_seed(0)
    return system(system.Config(**known), spec)


def images(spec: ImageSpec, n: int = 24) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n, *spec.shape), dtype=np.uint8), np.arange(n) % 2


def batches_for(model: Generative, spec: ImageSpec, device: torch.device) -> Batches:
    """Images in batches of 8, with rows of whole numbers for each of the extras that the model asks for."""
    n = len(images(spec)[0])
    extras = {extra: np.stack([np.arange(n) // 4, np.arange(n) // 4 % 3], axis=1) for extra in model.extras}
    groups = extras[model.groups] if model.groups else None
    return Batches(*images(spec), size=8, seed=0, device=device, extras=extras, groups=groups)


def train(model: Generative, spec: ImageSpec, steps: int = 2) -> Generative:
    device = fabric("32-true")
    seed(0)
    batches = batches_for(model, spec, device.device)
    optim = {phase.name: Optim(lr=1e-3) for phase in model.phases()}
    fit(model, batches, Train(steps=steps, batch_size=8), optim, device=device)
    return model


pytestmark = [
    pytest.mark.parametrize("name", registry.names("models"), scope="module"),
    pytest.mark.parametrize("spec", SPECS, ids=["grey-8", "rgb-16"], scope="module"),
]


@pytest.fixture(scope="module")
def model(name: str, spec: ImageSpec) -> Generative:
    """A system after two steps, for all tests that only look at it."""
    return train(build(name, spec), spec).eval()


def test_a_phase_moves_its_own_weights_and_no_others(name: str, spec: ImageSpec) -> None:
    model = build(name, spec)
    device = fabric("32-true")
    for phase in model.phases():
        before = {key: value.clone() for key, value in model.named_parameters()}
        own = {id(p) for p in phase.module.parameters()}
        only = copy.copy(model)
        only.phases = lambda phase=phase: [replace(phase, during=(0.0, 1.0))]
        batches = batches_for(model, spec, device.device)
        fit(only, batches, Train(steps=phase.every, batch_size=8), {phase.name: Optim(lr=1e-2)}, device=device)
        moved = {key for key, value in model.named_parameters() if not torch.equal(value, before[key])}
        owned = {key for key, value in model.named_parameters() if id(value) in own}
        assert moved, f"phase {phase.name} moves nothing"
        assert moved <= owned, f"phase {phase.name} moves {moved - owned}, which is not its own"


def test_samples_have_the_shape_the_range_and_the_seed(name: str, spec: ImageSpec, model: Generative) -> None:
    if not isinstance(model, Generates):
        pytest.skip(f"{name} draws no samples")
    with torch.inference_mode():
        first, again = (model.sample(5, torch.Generator().manual_seed(3)) for _ in range(2))
        other = model.sample(5, torch.Generator().manual_seed(4))
    assert first.shape == (5, *spec.shape)
    assert first.dtype == torch.float32
    assert torch.isfinite(first).all()
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_classes_are_drawn_as_asked_and_need_labels(name: str, spec: ImageSpec, model: Generative) -> None:
    if not isinstance(model, GeneratesClasses):
        pytest.skip(f"{name} draws no classes")
    y = torch.tensor([0, 1, 1, 0])
    with torch.inference_mode():
        first, again, other = (model.sample_of(k, torch.Generator().manual_seed(3)) for k in (y, y, 1 - y))
    assert model.class_count == len(spec.classes)
    assert first.shape == (4, *spec.shape)
    assert torch.equal(first, again)
    assert all(not torch.equal(a, b) for a, b in zip(first, other, strict=True)), f"{name} ignores the class"
    with pytest.raises(Unsuitable, match="labels"):
        build(name, replace(spec, classes=()))


def test_layers_see_each_image_alike(name: str, spec: ImageSpec, model: Generative) -> None:
    if not isinstance(model, HasFeatures):
        pytest.skip(f"{name} tells no features")
    x = torch.rand(4, *spec.shape).mul(2).sub(1)
    with torch.inference_mode():
        found, again = model.features(x), model.features(x)
    assert found
    assert all(len(one) == 4 and one[0].numel() > 1 and torch.isfinite(one).all() for one in found)
    assert all(torch.equal(one, other) for one, other in zip(found, again, strict=True))
    assert any(not torch.equal(one[0], one[1]) for one in found)


def test_sampling_leaves_the_other_random_generators_alone(name: str, spec: ImageSpec, model: Generative) -> None:
    if not isinstance(model, Generates):
        pytest.skip(f"{name} draws no samples")
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    model.sample(2, torch.Generator().manual_seed(0))
    assert torch.equal(torch.rand(3), expected), f"{name} draws from the global generator, not from the one it is given"


def test_another_process_can_draw_what_this_one_does(name: str, spec: ImageSpec, model: Generative) -> None:
    if not isinstance(model, Generates):
        pytest.skip(f"{name} draws no samples")
    packed = io.BytesIO()
    torch.save(Portable(model), packed)
    sent = torch.load(io.BytesIO(packed.getvalue()), weights_only=False).model
    assert (draw(sent, 3, seed=0) == draw(model, 3, seed=0)).all()


def test_codes_and_images_fit_each_other(name: str, spec: ImageSpec, model: Generative) -> None:
    x = torch.rand(4, *spec.shape) * 2 - 1
    with torch.inference_mode():
        if isinstance(model, Decodes):
            z = model.prior(4, torch.Generator().manual_seed(0))
            assert model.decode(z).shape == x.shape
            if isinstance(model, Encodes):
                assert model.encode(x).shape == z.shape
        if isinstance(model, Reconstructs):
            assert model.reconstruct(x).shape == x.shape


def test_likelihoods_are_one_an_image_and_of_the_draws_alone(name: str, spec: ImageSpec, model: Generative) -> None:
    if not isinstance(model, HasLikelihood):
        pytest.skip(f"{name} has no likelihood")
    x = torch.rand(4, *spec.shape) * 2 - 1
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with torch.inference_mode():
        first, again = (model.log_likelihood(x, 7, torch.Generator().manual_seed(3)) for _ in range(2))
        if isinstance(model, HasImportanceWeights):
            assert model.log_weights(x, 7, torch.Generator().manual_seed(3)).shape == (7, 4)
    assert torch.equal(torch.rand(3), expected), f"{name} draws from the global generator"
    assert first.shape == (4,)
    assert torch.isfinite(first).all()
    assert torch.equal(first, again)


def test_the_same_seed_trains_the_same_weights(name: str, spec: ImageSpec, model: Generative) -> None:
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    again, weights = train(build(name, spec), spec).state_dict(), model.state_dict()
    assert all(torch.equal(again[key], weights[key]) for key in weights)


def test_losses_are_finite_scalars_with_gradients_where_they_belong(name: str, spec: ImageSpec) -> None:
    model = build(name, spec)
    batch = batches_for(model, spec, torch.device("cpu")).batch(0)
    weights = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    for phase in model.phases():
        model.zero_grad(set_to_none=True)
        loss, logs = phase.loss(batch)
        assert all(torch.equal(weight, weights[key]) for key, weight in model.named_parameters()), "only optimizers may"
        assert loss.shape == ()
        assert torch.isfinite(loss)
        loss.backward()
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in phase.module.parameters())
        assert all(value.shape == () and not value.requires_grad for value in logs.values()), phase.name
