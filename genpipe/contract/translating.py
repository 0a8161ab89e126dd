"""Checks of models that generate an image for a condition, or change one."""

import torch

from genpipe.contract.trials import able, conditions_of, expect, noise_in
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.translation import IMAGE, Edits, GeneratesFor, Inpaints


def images_for_conditions_have_the_shape_the_range_and_the_seed(name: str, spec: DataSpec) -> None:
    """Images for five conditions, twice from a seed, and from another."""
    model = able(name, spec, GeneratesFor)
    conditions = conditions_of(model, spec, 5)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with torch.inference_mode():
        first, again, other = (model.sample_for(conditions, torch.Generator().manual_seed(k)) for k in (3, 3, 4))
    expect(torch.equal(torch.rand(3), expected), f"{name} draws from the global generator")
    expect(first.shape == (5, *spec.shape), f"five images have the shape {list(first.shape)}")
    expect(first.dtype == torch.float32 and first.isfinite().all(), "images are not finite numbers of float32")
    expect(first.abs().max() <= 1, f"images reach {first.abs().max():.3g}, beyond [-1, 1]")
    expect(torch.equal(first, again), "the same seed gives other images")
    same, told = torch.equal(first, other), "is" if model.stochastic else "is not"
    expect(
        same != model.stochastic, f"another seed gives {'the same' if same else 'other'} images; it {told} stochastic"
    )


def an_image_is_decided_by_its_own_condition(name: str, spec: DataSpec) -> None:
    """Images for five conditions, for the same five of which four were exchanged; and for one alone."""
    model = able(name, spec, GeneratesFor)
    conditions, others = conditions_of(model, spec, 5), conditions_of(model, spec, 8)
    mixed = {key: torch.cat([rows[:1], others[key][4:8]]) for key, rows in conditions.items()}
    with torch.inference_mode():
        first, second = (model.sample_for(given, torch.Generator().manual_seed(3)) for given in (conditions, mixed))
        expect(torch.allclose(first[0], second[0], atol=1e-5), "the other images of a batch change an image")
        expect(not torch.allclose(first[1], second[1], atol=1e-5), "another condition gives the same image")
        if not model.stochastic:
            alone = model.sample_for({key: rows[:1] for key, rows in conditions.items()}, torch.Generator())
            expect(torch.allclose(first[:1], alone, atol=1e-5), "an image alone is another one than in a batch")


def only_holes_are_filled(name: str, spec: DataSpec) -> None:
    """What is known of an image, bit by bit; and what the hole hides, which must not matter."""
    model = able(name, spec, Inpaints)
    given = conditions_of(model, spec, 4)
    x, mask = given[IMAGE], given[model.mask]
    with torch.inference_mode():
        filled, again = (model.inpaint(y, mask, torch.Generator().manual_seed(3)) for y in (x, x * (1 - mask)))
    known = (mask == 0).expand_as(x)
    expect(torch.equal(filled[known], x[known]), "pixels outside of the hole are changed")
    expect(torch.equal(filled, again), "what the hole hides decides what it is filled with")


def attributes_are_changed_as_asked(name: str, spec: DataSpec) -> None:
    """The attributes that images seem to have; and images with all of them on, and all off."""
    model, x = able(name, spec, Edits), noise_in(4, spec)
    k = model.init_args[1].fields[model.attributes].values
    with torch.inference_mode():
        own = model.attributes_of(x)
        on, off = (model.edit(x, torch.full((4, k), value)) for value in (1.0, 0.0))
    expect(own.shape == (4, k), f"the {k} attributes of four images have the shape {list(own.shape)}")
    expect(((own == 0) | (own == 1)).all(), "attributes of images are neither 0 nor 1")
    expect(on.shape == x.shape, f"four edited images have the shape {list(on.shape)}")
    expect(on.isfinite().all() and on.abs().max() <= 1, "edited images are not finite numbers in [-1, 1]")
    expect(not torch.equal(on, off), f"{name} ignores the attributes")
