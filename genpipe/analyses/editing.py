"""Editing: what becomes of held-out images when one of their attributes is changed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
import torch
from jaxtyping import UInt8
from pydantic import Field
from torch import Tensor

from genpipe.analyses._errors import absolute_error
from genpipe.analyses._factors import Reader, reader
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.extractors import FeatureSet
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.tensors import Images
from genpipe.interfaces.translation import IMAGE, Edits
from genpipe.nn.batched_inference import passed, shown
from genpipe.nn.image_grid import grid
from genpipe.nn.pixel_range import to_model
from genpipe.schema import Strict

Pixels = UInt8[np.ndarray, "n c h w"]
Attributes = UInt8[np.ndarray, "n k"]


class Editing(Analysis):
    """One attribute after the other is set to what the image does not show; the others stay as the model sees them.

    Whether the change is there is read off the pixels by what real images have taught (`attribute_reading_accuracy` on
    held-out ones), whether the class is the same by the extractor. The same figures of reconstructions, for which
    nothing is changed, say what edits owe to the encoders.
    """

    class Config(Strict):
        images: Annotated[int, Field(ge=1, le=64)] = 12
        """Rows of the picture."""

    requires = (Edits,)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        model = context.model
        assert isinstance(model, Edits)
        x, truth = (np.asarray(context.held_out_field(name)) for name in (IMAGE, model.attributes))
        names = model.init_args[1].fields[model.attributes].labels
        own = passed(x, model.attributes_of, context.model.device).astype(np.uint8)
        rebuilt = edited(context.model, x, own)
        edits = [edited(context.model, x, with_other(own, truth, k)) for k in range(len(names))]
        reads = _reader(context, model.attributes, names)
        numbers = {
            "attribute_accuracy": float((own == truth).mean()),
            "attribute_reading_accuracy": changed(reads, [x] * len(names), 1 - truth),
            "edit_accuracy": changed(reads, edits, truth),
            "reconstruction_edit_accuracy": changed(reads, [rebuilt] * len(names), truth),
            "edit_change": float(np.mean([absolute_error(one, x) for one in edits])),
            "reconstruction_change": absolute_error(rebuilt, x),
        }
        if (labels := context.real.held_out.labels) is not None and context.real.held_out.probabilities is not None:
            numbers["edit_class_accuracy"] = float(np.mean([_of_class(context.extract(one), labels) for one in edits]))
            numbers["reconstruction_class_accuracy"] = _of_class(context.extract(rebuilt), labels)
        rows = np.stack([one[: self.config.images] for one in (x, rebuilt, *edits)], 1).reshape(-1, *x.shape[1:])
        told = f"From the left: held-out images, their reconstructions, and with another {', '.join(names)}."
        return AnalysisResult({"editing": (grid(rows, 2 + len(names)), told)}, numbers)


def with_other(own: Attributes, truth: Attributes, k: int) -> Attributes:
    """The attributes that a model sees, but number k as it truly is not."""
    found = own.copy()
    found[:, k] = 1 - truth[:, k]
    return found


def edited(model: Generative, x: Pixels, attributes: Attributes) -> Pixels:
    """Returns images with these attributes, rounded to pixels."""
    images, wanted = torch.from_numpy(np.array(x)), torch.from_numpy(attributes).float()

    def some(rows: Tensor) -> Images:
        assert isinstance(model, Edits)
        at = rows.cpu()
        return model.edit(to_model(images[at].to(rows.device)), wanted[at].to(rows.device))

    return shown(np.arange(len(x)), some, model, "edited images")


def changed(reads: Reader, images: Sequence[Pixels], before: Attributes) -> float:
    """The share of images [k of n] that show another value of attribute k than before, as it is read."""
    names = list(reads.weights)
    return float(np.mean([reads.read(some)[names[k]].argmax(1) != before[:, k] for k, some in enumerate(images)]))


def _reader(context: AnalysisContext, field: str, names: Sequence[str]) -> Reader:
    """What reads attributes off pixels."""
    real = context.real
    stored = context.training_field(field), context.held_out_field(field)
    training, held_out = (
        replace(images, factors={name: np.asarray(rows[:, k]) for k, name in enumerate(names)})
        for images, rows in zip((real.training, real.held_out), stored, strict=True)
    )
    return reader(replace(context, real=replace(real, training=training, held_out=held_out)))


def _of_class(images: FeatureSet, labels: np.ndarray) -> float:
    """The share of images that are taken for one of their class."""
    assert images.probabilities is not None
    return float((images.probabilities.argmax(1) == labels).mean())
