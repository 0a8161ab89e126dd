"""Checks of what every model keeps, and of what most capabilities promise."""

import copy
import io
import random
from dataclasses import replace

import numpy as np
import torch

from genpipe import registry
from genpipe.config.training import Optim, Train
from genpipe.contract.trials import Broken, able, batch_loader, expect, noise_in, trained
from genpipe.errors import Unsuitable
from genpipe.interfaces.classes import GeneratesClasses
from genpipe.interfaces.features import HasFeatures
from genpipe.interfaces.generative import Decodes, Encodes, Generates, Generative, Reconstructs
from genpipe.interfaces.likelihood import HasImportanceWeights, HasLikelihood
from genpipe.interfaces.prerequisites import HasPrerequisites
from genpipe.interfaces.spec import DataSpec
from genpipe.sampling.drawing import PicklableModel, generate_samples
from genpipe.standins import NotApplicable, build, ready
from genpipe.training.devices import fabric
from genpipe.training.loop import fit


def what_it_is_given_before_training_is_no_weight_of_it(name: str, spec: DataSpec) -> None:
    """The names of its weights, before and after it was given what it needs."""
    if not issubclass(registry.load("models", name), HasPrerequisites):
        raise NotApplicable(f"{name} needs nothing but data before it trains")
    others = ready(name, spec).state_dict().keys() ^ build(name, spec).state_dict().keys()
    expect(not others, f"{sorted(others)} are weights only after `use`, or no longer: it could not be loaded")


def a_phase_moves_its_own_weights_and_no_others(name: str, spec: DataSpec) -> None:
    """Each phase, alone, moves weights of its module."""
    model, device = ready(name, spec), fabric("32-true")
    for phase in model.phases():
        before = {key: value.clone() for key, value in model.named_parameters()}
        own = {id(p) for p in phase.module.parameters()}
        only = copy.copy(model)
        only.phases = lambda phase=phase: [replace(phase, during=(0.0, 1.0))]  # type: ignore[method-assign, misc]
        batches = batch_loader(model, spec, device.device)
        fit(only, batches, Train(steps=phase.every, batch_size=8), {phase.name: Optim(lr=1e-2)}, device=device)
        moved = {key for key, value in model.named_parameters() if not torch.equal(value, before[key])}
        owned = {key for key, value in model.named_parameters() if id(value) in own}
        expect(moved, f"phase {phase.name} moves nothing")
        expect(moved <= owned, f"phase {phase.name} moves {sorted(moved - owned)}, which is not its own")


def losses_are_finite_scalars_with_gradients_where_they_belong(name: str, spec: DataSpec) -> None:
    """Each loss of a first batch, which moves no weight by itself."""
    model = ready(name, spec)
    batch = batch_loader(model, spec, torch.device("cpu")).batch(0)
    weights = {key: weight.detach().clone() for key, weight in model.named_parameters()}
    for phase in model.phases():
        model.zero_grad(set_to_none=True)
        loss, logs = phase.loss(batch)
        same = all(torch.equal(weight, weights[key]) for key, weight in model.named_parameters())
        expect(same, f"the loss of phase {phase.name} changes weights, which only optimizers may")
        expect(loss.shape == (), f"the loss of phase {phase.name} has the shape {list(loss.shape)} and is no scalar")
        expect(torch.isfinite(loss), f"the loss of phase {phase.name} is {loss.item()}")
        loss.backward()
        moving = any(p.grad is not None and p.grad.abs().sum() > 0 for p in phase.module.parameters())
        expect(moving, f"the loss of phase {phase.name} has no gradient in its own module")
        plain = all(value.shape == () and not value.requires_grad for value in logs.values())
        expect(plain, f"what phase {phase.name} logs is no detached scalar")


def the_same_seed_trains_the_same_weights(name: str, spec: DataSpec) -> None:
    """Two trainings, before which global generators stand elsewhere."""
    weights = []
    for noise in (1, 2):
        random.seed(noise), np.random.seed(noise), torch.manual_seed(noise)
        weights.append(trained(name, spec).state_dict())
    differing = [key for key in weights[0] if not torch.equal(weights[0][key], weights[1][key])]
    expect(not differing, f"{differing} differ after two trainings with the same seed")


def samples_have_the_shape_the_range_and_the_seed(name: str, spec: DataSpec) -> None:
    """Samples drawn twice from a seed, and from another."""
    model = able(name, spec, Generates)
    with torch.inference_mode():
        first, again = (model.sample(5, torch.Generator().manual_seed(3)) for _ in range(2))
        other = model.sample(5, torch.Generator().manual_seed(4))
    expect(first.shape == (5, *spec.shape), f"five samples have the shape {list(first.shape)}")
    expect(first.dtype == torch.float32, f"samples are {first.dtype}, not float32")
    expect(torch.isfinite(first).all(), "samples are NaN or infinite")
    expect(torch.equal(first, again), "the same seed draws other samples")
    expect(not torch.equal(first, other), "another seed draws the same samples")


def sampling_leaves_the_other_random_generators_alone(name: str, spec: DataSpec) -> None:
    """What the global generator gives next, with a sample drawn in between."""
    model = able(name, spec, Generates)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    model.sample(2, torch.Generator().manual_seed(0))
    alone = torch.equal(torch.rand(3), expected)
    expect(alone, f"{name} draws from the global generator, not from the one it is given")


def another_process_can_draw_what_this_one_does(name: str, spec: DataSpec) -> None:
    """Samples of the model, packed and unpacked."""
    model, packed = able(name, spec, Generates), io.BytesIO()
    torch.save(PicklableModel(model), packed)
    sent = torch.load(io.BytesIO(packed.getvalue()), weights_only=False).model
    expect(
        (generate_samples(sent, 3, seed=0) == generate_samples(model, 3, seed=0)).all(),
        f"{name} draws something else when it is sent",
    )


def classes_are_drawn_as_asked_and_need_labels(name: str, spec: DataSpec) -> None:
    """Samples of two classes, and a data set without any."""
    model = able(name, spec, GeneratesClasses)
    y = torch.tensor([0, 1, 1, 0])
    with torch.inference_mode():
        first, again, other = (model.sample_of(k, torch.Generator().manual_seed(3)) for k in (y, y, 1 - y))
    expect(model.class_count == len(spec.classes), f"{name} draws {model.class_count} of {len(spec.classes)} classes")
    expect(first.shape == (4, *spec.shape), f"four samples have the shape {list(first.shape)}")
    expect(torch.equal(first, again), "the same seed draws other samples")
    expect(all(not torch.equal(a, b) for a, b in zip(first, other, strict=True)), f"{name} ignores the class")
    try:
        build(name, replace(spec, classes=()))
    except Unsuitable as error:
        expect("labels" in str(error), "the Unsuitable for images without labels does not speak of labels")
    else:
        raise Broken(f"{name} is built for images without labels; it should raise Unsuitable")


def layers_see_each_image_alike(name: str, spec: DataSpec) -> None:
    """Features of four images, twice."""
    model, x = able(name, spec, HasFeatures), noise_in(4, spec)
    with torch.inference_mode():
        found, again = model.features(x), model.features(x)
    whole = all(len(one) == 4 and one[0].numel() > 1 and torch.isfinite(one).all() for one in found)
    expect(found and whole, "features are not finite numbers, a row for each image")
    expect(all(torch.equal(a, b) for a, b in zip(found, again, strict=True)), "the same images have other features")
    expect(any(not torch.equal(one[0], one[1]) for one in found), "all images have the same features")


def codes_and_images_fit_each_other(name: str, spec: DataSpec) -> None:
    """Shapes of what is decoded, encoded and reconstructed."""
    model, x = able(name, spec, Generative), noise_in(4, spec)
    with torch.inference_mode():
        if isinstance(model, Decodes):
            z = model.prior(4, torch.Generator().manual_seed(0))
            expect(model.decode(z).shape == x.shape, "decoded codes have not the shape of images")
            if isinstance(model, Encodes):
                expect(model.encode(x).shape == z.shape, "encoded images have not the shape of the prior's codes")
        if isinstance(model, Reconstructs):
            expect(model.reconstruct(x).shape == x.shape, "reconstructions have not the shape of images")


def likelihoods_are_one_an_image_and_of_the_draws_alone(name: str, spec: DataSpec) -> None:
    """Likelihoods of four images, twice."""
    model, x = able(name, spec, HasLikelihood), noise_in(4, spec)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with torch.inference_mode():
        first, again = (model.log_likelihood(x, 7, torch.Generator().manual_seed(3)) for _ in range(2))
        if isinstance(model, HasImportanceWeights):
            weights = model.log_weights(x, 7, torch.Generator().manual_seed(3))
            expect(weights.shape == (7, 4), f"7 weights of 4 images have the shape {list(weights.shape)}")
    expect(torch.equal(torch.rand(3), expected), f"{name} draws from the global generator")
    expect(first.shape == (4,), f"likelihoods of four images have the shape {list(first.shape)}")
    expect(torch.isfinite(first).all(), "likelihoods are NaN or infinite")
    expect(torch.equal(first, again), "the same draws give another likelihood")
