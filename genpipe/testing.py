"""The contract test of a model: what every model keeps, asked of one by its name.

`genpipe test-model NAME` runs it, and so does one line of a test: `check_model("mine")`.
"""

import copy
import io
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genpipe import registry
from genpipe.config.project import load_project
from genpipe.config.training import Optim, Train
from genpipe.dataset.batches import BatchLoader
from genpipe.errors import Unsuitable, UsageError
from genpipe.interfaces.classes import GeneratesClasses
from genpipe.interfaces.features import HasFeatures
from genpipe.interfaces.generative import Decodes, Encodes, Generates, Generative, Reconstructs
from genpipe.interfaces.likelihood import HasImportanceWeights, HasLikelihood
from genpipe.interfaces.prerequisites import HasPrerequisites
from genpipe.interfaces.spec import DataSpec
from genpipe.sampling.drawing import PicklableModel, generate_samples
from genpipe.standins import NotApplicable, build, ready, stored_fields
from genpipe.training.devices import fabric
from genpipe.training.loop import fit, seed

Check = Callable[[str, DataSpec], None]
"""Given the name of a model and images; raises Broken or NotApplicable."""
SPECS: tuple[DataSpec, ...] = (DataSpec(1, 8, 8, ("a", "b")), DataSpec(3, 16, 24, ("a", "b")))
"""The images for which a model is tried: gray squares, and in color what is wider than high."""


class Broken(AssertionError):
    """Something that every model keeps, and this one does not."""


def check_model(name: str, specs: tuple[DataSpec, ...] = SPECS) -> None:
    """Does all checks of a model of the project around this folder, or of genpipe.

    Raises what the first check that fails does: Broken, or an error of the model's own.
    """
    with suppress(UsageError):  # where no project is, the models are genpipe's
        load_project()
    for check, spec in checks_of(name, specs):
        with suppress(NotApplicable):
            check(name, spec)


def checks_of(name: str, specs: tuple[DataSpec, ...] = SPECS) -> list[tuple[Check, DataSpec]]:
    """Each check with each of the images that a model can be built for. Raises UsageError if it suits none."""
    able = [spec for spec in specs if _suits(name, spec)]
    if not able:
        raise UsageError(f"{name} suits none of the images that it is tried with. Give the size of others (--size).")
    return [(check, spec) for check in CHECKS for spec in able]


def in_words(check: Check, spec: DataSpec) -> str:
    """What is checked, of which images: "samples have the shape, the range and the seed, 3×16×16"."""
    return f"{check.__name__.replace('_', ' ')}, {'×'.join(map(str, spec.shape))}"


def _suits(name: str, spec: DataSpec) -> bool:
    try:
        build(name, spec)
    except Unsuitable:
        return False
    return True


def _images(spec: DataSpec, n: int = 24) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n, *spec.shape), dtype=np.uint8), np.arange(n) % 2


def _batches(model: Generative, spec: DataSpec, device: torch.device) -> BatchLoader:
    """Images in batches of 8, with the fields that the model needs."""
    fields = stored_fields(model, len(_images(spec)[0]))
    groups = fields[model.group_by].rows if model.group_by else None
    return BatchLoader(*_images(spec), size=8, seed=0, device=device, fields=fields, group_by=groups)


def _trained(name: str, spec: DataSpec) -> Generative:
    model, device = ready(name, spec), fabric("32-true")
    seed(0)
    batches = _batches(model, spec, device.device)
    optim = {phase.name: Optim(lr=1e-3) for phase in model.phases()}
    fit(model, batches, Train(steps=2, batch_size=8), optim, device=device)
    return model


def _able(name: str, spec: DataSpec, capability: type) -> Any:
    """The model in evaluation mode after two steps, if it has a capability. Raises NotApplicable."""
    if not issubclass(registry.load("models", name), capability):
        raise NotApplicable(f"{name} is no {capability.__name__}")
    return _finished(registry.load("models", name), name, spec)


@cache
def _finished(_: type, name: str, spec: DataSpec) -> Generative:
    """One model for all checks that only look at it; of another class with the same name it is another."""
    return _trained(name, spec).eval()


def _expect(kept: object, told: str) -> None:
    if not kept:
        raise Broken(told)


def _noise(n: int, spec: DataSpec) -> Tensor:
    return torch.rand(n, *spec.shape) * 2 - 1


def what_it_is_given_before_training_is_no_weight_of_it(name: str, spec: DataSpec) -> None:
    """The names of its weights, before and after it was given what it needs."""
    if not issubclass(registry.load("models", name), HasPrerequisites):
        raise NotApplicable(f"{name} needs nothing but data before it trains")
    others = ready(name, spec).state_dict().keys() ^ build(name, spec).state_dict().keys()
    _expect(not others, f"{sorted(others)} are weights only after `use`, or no longer: it could not be loaded")


def a_phase_moves_its_own_weights_and_no_others(name: str, spec: DataSpec) -> None:
    """Each phase, alone, moves weights of its module."""
    model, device = ready(name, spec), fabric("32-true")
    for phase in model.phases():
        before = {key: value.clone() for key, value in model.named_parameters()}
        own = {id(p) for p in phase.module.parameters()}
        only = copy.copy(model)
        only.phases = lambda phase=phase: [replace(phase, during=(0.0, 1.0))]  # type: ignore[method-assign, misc]
        batches = _batches(model, spec, device.device)
        fit(only, batches, Train(steps=phase.every, batch_size=8), {phase.name: Optim(lr=1e-2)}, device=device)
        moved = {key for key, value in model.named_parameters() if not torch.equal(value, before[key])}
        owned = {key for key, value in model.named_parameters() if id(value) in own}
        _expect(moved, f"phase {phase.name} moves nothing")
        _expect(moved <= owned, f"phase {phase.name} moves {sorted(moved - owned)}, which is not its own")


def losses_are_finite_scalars_with_gradients_where_they_belong(name: str, spec: DataSpec) -> None:
    """Each loss of a first batch, which moves no weight by itself."""
    model = ready(name, spec)
    batch = _batches(model, spec, torch.device("cpu")).batch(0)
    weights = {key: weight.detach().clone() for key, weight in model.named_parameters()}
    for phase in model.phases():
        model.zero_grad(set_to_none=True)
        loss, logs = phase.loss(batch)
        same = all(torch.equal(weight, weights[key]) for key, weight in model.named_parameters())
        _expect(same, f"the loss of phase {phase.name} changes weights, which only optimizers may")
        _expect(loss.shape == (), f"the loss of phase {phase.name} has the shape {list(loss.shape)} and is no scalar")
        _expect(torch.isfinite(loss), f"the loss of phase {phase.name} is {loss.item()}")
        loss.backward()
        moving = any(p.grad is not None and p.grad.abs().sum() > 0 for p in phase.module.parameters())
        _expect(moving, f"the loss of phase {phase.name} has no gradient in its own module")
        plain = all(value.shape == () and not value.requires_grad for value in logs.values())
        _expect(plain, f"what phase {phase.name} logs is no detached scalar")


def the_same_seed_trains_the_same_weights(name: str, spec: DataSpec) -> None:
    """Two trainings, before which global generators stand elsewhere."""
    weights = []
    for noise in (1, 2):
        random.seed(noise), np.random.seed(noise), torch.manual_seed(noise)
        weights.append(_trained(name, spec).state_dict())
    differing = [key for key in weights[0] if not torch.equal(weights[0][key], weights[1][key])]
    _expect(not differing, f"{differing} differ after two trainings with the same seed")


def samples_have_the_shape_the_range_and_the_seed(name: str, spec: DataSpec) -> None:
    """Samples drawn twice from a seed, and from another."""
    model = _able(name, spec, Generates)
    with torch.inference_mode():
        first, again = (model.sample(5, torch.Generator().manual_seed(3)) for _ in range(2))
        other = model.sample(5, torch.Generator().manual_seed(4))
    _expect(first.shape == (5, *spec.shape), f"five samples have the shape {list(first.shape)}")
    _expect(first.dtype == torch.float32, f"samples are {first.dtype}, not float32")
    _expect(torch.isfinite(first).all(), "samples are NaN or infinite")
    _expect(torch.equal(first, again), "the same seed draws other samples")
    _expect(not torch.equal(first, other), "another seed draws the same samples")


def sampling_leaves_the_other_random_generators_alone(name: str, spec: DataSpec) -> None:
    """What the global generator gives next, with a sample drawn in between."""
    model = _able(name, spec, Generates)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    model.sample(2, torch.Generator().manual_seed(0))
    alone = torch.equal(torch.rand(3), expected)
    _expect(alone, f"{name} draws from the global generator, not from the one it is given")


def another_process_can_draw_what_this_one_does(name: str, spec: DataSpec) -> None:
    """Samples of the model, packed and unpacked."""
    model, packed = _able(name, spec, Generates), io.BytesIO()
    torch.save(PicklableModel(model), packed)
    sent = torch.load(io.BytesIO(packed.getvalue()), weights_only=False).model
    _expect(
        (generate_samples(sent, 3, seed=0) == generate_samples(model, 3, seed=0)).all(),
        f"{name} draws something else when it is sent",
    )


def classes_are_drawn_as_asked_and_need_labels(name: str, spec: DataSpec) -> None:
    """Samples of two classes, and a data set without any."""
    model = _able(name, spec, GeneratesClasses)
    y = torch.tensor([0, 1, 1, 0])
    with torch.inference_mode():
        first, again, other = (model.sample_of(k, torch.Generator().manual_seed(3)) for k in (y, y, 1 - y))
    _expect(model.class_count == len(spec.classes), f"{name} draws {model.class_count} of {len(spec.classes)} classes")
    _expect(first.shape == (4, *spec.shape), f"four samples have the shape {list(first.shape)}")
    _expect(torch.equal(first, again), "the same seed draws other samples")
    _expect(all(not torch.equal(a, b) for a, b in zip(first, other, strict=True)), f"{name} ignores the class")
    try:
        build(name, replace(spec, classes=()))
    except Unsuitable as error:
        _expect("labels" in str(error), "the Unsuitable for images without labels does not speak of labels")
    else:
        raise Broken(f"{name} is built for images without labels; it should raise Unsuitable")


def layers_see_each_image_alike(name: str, spec: DataSpec) -> None:
    """Features of four images, twice."""
    model, x = _able(name, spec, HasFeatures), _noise(4, spec)
    with torch.inference_mode():
        found, again = model.features(x), model.features(x)
    whole = all(len(one) == 4 and one[0].numel() > 1 and torch.isfinite(one).all() for one in found)
    _expect(found and whole, "features are not finite numbers, a row for each image")
    _expect(all(torch.equal(a, b) for a, b in zip(found, again, strict=True)), "the same images have other features")
    _expect(any(not torch.equal(one[0], one[1]) for one in found), "all images have the same features")


def codes_and_images_fit_each_other(name: str, spec: DataSpec) -> None:
    """Shapes of what is decoded, encoded and reconstructed."""
    model, x = _able(name, spec, Generative), _noise(4, spec)
    with torch.inference_mode():
        if isinstance(model, Decodes):
            z = model.prior(4, torch.Generator().manual_seed(0))
            _expect(model.decode(z).shape == x.shape, "decoded codes have not the shape of images")
            if isinstance(model, Encodes):
                _expect(model.encode(x).shape == z.shape, "encoded images have not the shape of the prior's codes")
        if isinstance(model, Reconstructs):
            _expect(model.reconstruct(x).shape == x.shape, "reconstructions have not the shape of images")


def likelihoods_are_one_an_image_and_of_the_draws_alone(name: str, spec: DataSpec) -> None:
    """Likelihoods of four images, twice."""
    model, x = _able(name, spec, HasLikelihood), _noise(4, spec)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with torch.inference_mode():
        first, again = (model.log_likelihood(x, 7, torch.Generator().manual_seed(3)) for _ in range(2))
        if isinstance(model, HasImportanceWeights):
            weights = model.log_weights(x, 7, torch.Generator().manual_seed(3))
            _expect(weights.shape == (7, 4), f"7 weights of 4 images have the shape {list(weights.shape)}")
    _expect(torch.equal(torch.rand(3), expected), f"{name} draws from the global generator")
    _expect(first.shape == (4,), f"likelihoods of four images have the shape {list(first.shape)}")
    _expect(torch.isfinite(first).all(), "likelihoods are NaN or infinite")
    _expect(torch.equal(first, again), "the same draws give another likelihood")


CHECKS: tuple[Check, ...] = (
    what_it_is_given_before_training_is_no_weight_of_it,
    a_phase_moves_its_own_weights_and_no_others,
    losses_are_finite_scalars_with_gradients_where_they_belong,
    the_same_seed_trains_the_same_weights,
    samples_have_the_shape_the_range_and_the_seed,
    sampling_leaves_the_other_random_generators_alone,
    another_process_can_draw_what_this_one_does,
    classes_are_drawn_as_asked_and_need_labels,
    layers_see_each_image_alike,
    codes_and_images_fit_each_other,
    likelihoods_are_one_an_image_and_of_the_draws_alone,
)
"""What every model keeps, where it has the capability."""
