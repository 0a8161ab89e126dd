"""What a trained model makes of given conditions: translations, images without holes, edited and enlarged images."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8

from genpipe.errors import UnknownName, UsageError
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.sampling import sampling_with
from genpipe.interfaces.sources import EncodedField, EncodedImage
from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.interfaces.translation import IMAGE, Edits, GeneratesFor, Translates
from genpipe.nn.batched_inference import parts
from genpipe.nn.pixel_range import Output, warn_beyond
from genpipe.sampling.drawing import generate_samples
from genpipe.sampling.given import ConditionReader, GivenConditions, stored_parts

Pixels = UInt8[np.ndarray, "n c h w"]
MOST_IMAGES = 10_000
"""So many images are made at once at most."""
MOST_BYTES = 2**31
"""They take no more than this together."""


class MadeImages(NamedTuple):
    """The images that were made of pictures."""

    images: UInt8[np.ndarray, "n k c h w"]
    """k of each picture."""
    names: list[str]
    """Those of the pictures."""


def images_of(
    model: Generative,
    reader: ConditionReader,
    pictures: Sequence[EncodedImage],
    masks: Sequence[EncodedField] | None = None,
    *,
    draws: int = 1,
    seed: int = 0,
    derive: bool = False,
    options: Mapping[str, Any],
) -> MadeImages:
    """Returns what a model that `GeneratesFor` makes of pictures, of each so many times, with options of `sample`.

    Raises UsageError for what the model cannot do or lacks, and DataError for pictures that are of no use.
    """
    assert isinstance(model, GeneratesFor)
    _verify_draws(model, draws, seed)
    _verify_few(len(pictures) * draws, reader.spec)
    with sampling_with(model, **options):
        names, _, fields = reader.read(model.condition, pictures, masks, derive=derive, seed=seed)
        made = _sampled(model, GivenConditions.of(fields, reader.spec, draws), seed)
    return MadeImages(made.reshape(len(names), draws, *made.shape[1:]), names)


def edited_images(
    model: Generative, reader: ConditionReader, pictures: Sequence[EncodedImage], changes: Mapping[str, Any]
) -> MadeImages:
    """Returns pictures with some attributes changed, by name; the others stay what the model takes them to be.

    Raises UnknownName or UsageError for attributes or values that there are not, and DataError for pictures.
    """
    assert isinstance(model, Edits)
    spec = reader.spec.fields[model.attributes]
    changed(np.zeros((1, spec.values), np.float32), changes, spec)  # refused before pictures are read
    _verify_few(len(pictures), reader.spec)
    names, _, fields = reader.read((IMAGE,), pictures)
    x = fields[IMAGE]
    with torch.inference_mode():
        known = [model.attributes_of(part).float().cpu().numpy() for part in parts(x, model.device)]
    return MadeImages(edit(model, x, changed(np.concatenate(known), changes, spec))[:, None], names)


def verify_enlarges(model: Generative, name: str) -> None:
    """Raises UsageError unless a model that `Translates` does so with pictures that are smaller than its images."""
    assert isinstance(model, Translates)
    spec = model.init_args[1]
    source = spec.fields[model.source]
    if source.kind != "image" or source.shape[1:] == spec.shape[1:]:
        raise UsageError(
            f"{name} translates '{model.source}', which is no smaller than its images, and enlarges nothing. "
            "Translate pictures with it, or take a model of `low_resolution`."
        )


def answer(model: Generative, n: int, seed: int, given: Mapping[str, Any]) -> Pixels:
    """Returns n samples; or, of a model that needs conditions, n for each row of these, which follow each other.

    Conditions are rows as data sets store them, by name, in nested lists or arrays; images are edited if these are `x`
    and attributes. Raises UsageError, UnknownName or DataError for what the model has not, or does not take.
    """
    if not given:
        return generate_samples(model, n, seed=seed)
    if not isinstance(model, GeneratesFor | Edits):
        raise UsageError(f"{type(model).__name__} takes no conditions; it was given {', '.join(given)}.")
    spec: DataSpec = model.init_args[1]
    if isinstance(model, Edits) and (IMAGE in given or not isinstance(model, GeneratesFor)):
        if n > 1:
            raise UsageError(f"{n} images of each are asked for, and an image is edited in one way. Leave `n` out.")
        fields = stored_parts((IMAGE, model.attributes), given, spec)
        return edit(model, fields[IMAGE], fields[model.attributes].astype(np.float32))
    assert isinstance(model, GeneratesFor)
    _verify_draws(model, n, seed)
    return _sampled(model, GivenConditions.of(stored_parts(model.condition, given, spec), spec, n), seed)


def edit(model: Edits, images: Pixels, attributes: Float[np.ndarray, "n k"]) -> Pixels:
    """Returns images with these attributes, uint8. Raises NonFiniteImages; warns if much lies beyond [-1, 1]."""
    assert isinstance(model, Generative)
    output, found = Output(type(model).__name__, "edited images"), []
    with torch.inference_mode():
        for x, y in zip(parts(images, model.device), parts(attributes, model.device), strict=True):
            found.append(output.pixels(model.edit(x, y)).cpu().numpy())
    warn_beyond([output])
    return np.concatenate(found)


def changed(
    attributes: Float[np.ndarray, "n k"], changes: Mapping[str, Any], spec: FieldSpec
) -> Float[np.ndarray, "n k"]:
    """Returns attributes with some set: `bold` to true or false, or of "kind=disc" and "kind=star" `kind` to one.

    Raises UnknownName for another attribute or value, and UsageError for no change.
    """
    names = spec.labels
    if not changes:
        raise UsageError(f"no attribute is to be changed; give values of some: {', '.join(_attributes(names))}.")
    found = attributes.copy()
    for name, value in changes.items():
        group = [number for number, other in enumerate(names) if other.startswith(f"{name}=")]
        if group:
            values = [names[number].partition("=")[2] for number in group]
            if str(value) not in values:
                raise UnknownName(str(value), f"value of the attribute '{name}'", values)
            found[:, group] = np.equal(values, str(value))
        elif name not in names:
            raise UnknownName(name, "attribute", _attributes(names))
        elif not isinstance(value, bool | int) or value not in (0, 1):
            raise UsageError(f"the attribute '{name}' is {value!r}; it may be true or false.")
        else:
            found[:, names.index(name)] = value
    return found


def _attributes(names: Sequence[str]) -> list[str]:
    """The names of attributes; of those of which an image has one, the name that they share."""
    return list(dict.fromkeys(name.partition("=")[0] for name in names))


def _sampled(model: Generative, conditions: GivenConditions, seed: int) -> Pixels:
    n, size = len(conditions.rows), model.sampling.batch_size
    return generate_samples(model, n, seed=seed, batch_size=size, conditions=conditions)


def _verify_draws(model: Generative, draws: int, seed: int) -> None:
    if draws < 1 or not 0 <= seed < 2**32:
        raise UsageError(f"{draws} images of each, seed {seed}: give 1 or more, and a seed from 0 to {2**32 - 1}.")
    if draws > 1 and not getattr(model, "stochastic", False):
        raise UsageError(f"{draws} images of each are asked for; {type(model).__name__} has no noise and makes one.")


def _verify_few(images: int, spec: DataSpec) -> None:
    """Raises UsageError if so many images are too many to be made at once."""
    most = min(MOST_IMAGES, max(1, MOST_BYTES // spec.values))
    if images > most:
        raise UsageError(f"that makes {images:,} images, and at most {most:,} of this size are made at once.")
