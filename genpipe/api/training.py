"""Training in a notebook: a recipe's model on your own images, without a project."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import pandas as pd

from genpipe import registry
from genpipe.api.images import Given, Images
from genpipe.api.images import images as as_images
from genpipe.api.models import Model
from genpipe.api.tables import curves_table
from genpipe.config.compatibility import phase_problems
from genpipe.config.document import Document, parse
from genpipe.config.prerequisites import declared
from genpipe.config.training import Optim, Train
from genpipe.config.validation import validated
from genpipe.dataset.batches import BatchLoader
from genpipe.errors import ConfigError, UsageError
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.prerequisites import Prerequisites
from genpipe.interfaces.spec import DataSpec
from genpipe.project import recipes
from genpipe.running.progress import progress as shown
from genpipe.schema import Strict
from genpipe.training.devices import fabric
from genpipe.training.loop import fit as trained
from genpipe.training.loop import seed as seeded
from genpipe.training.memory import memory_in_words

_ROWS = 50
"""The default number of rows in the curves, approximately."""
_OF_PIPELINES = ("devices", "nodes", "strategy", "checkpoint_every_steps", "score_every_steps", "score_images")
"""Knobs of `train` that only matter for `dvc repro`."""


class _Fit(Strict):
    """What `fit` is told, as in a pipeline file."""

    optim: dict[str, Optim]
    train: Train


def build(recipe: str | type[Generative], images: Given, labels: Any = None, *, seed: int = 0, **knobs: Any) -> Model:
    """Returns an untrained model for images like those given: "dcgan" is a recipe; `knobs` replace its `model` knobs.

    A class of a model of your own does too, with the defaults of its Config. `labels` are the classes [n] of the
    images, from 0, for models that learn them. The seed is that of the weights. Raises UnknownName, ConfigError for a
    knob that does not exist or has no such value, Unsuitable if the model cannot be built for such images.
    """
    if isinstance(recipe, str):
        name, model_name, values = recipe, recipes.recipe(recipe).model, _recipe(recipe)
        kind, given = registry.load("models", model_name), {**values["model"], **knobs}
    else:
        kind, given, values, name = recipe, knobs, {}, recipe.__name__
        model_name = kind.__name__
    knobs_of = validated(kind.Config, given, (), Document("genpipe.build", given))
    if needed := kind.needed_fields(knobs_of):
        raise UsageError(f"{name} has to know {', '.join(needed)} of each image, which only a project's data do.")
    if declared(kind, knobs_of) != Prerequisites():
        raise UsageError(f"{name} needs what other stages of a project have made: train it with `dvc repro`.")
    found = as_images(images)
    spec = _spec(found, _labels(labels, len(found)))
    seeded(seed)
    model = kind(knobs_of, spec).eval()
    return Model(name, model_name, lambda: model, _training(values))


def fit(
    model: Model,
    images: Given,
    labels: Any = None,
    *,
    steps: int | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    optim: Mapping[str, Mapping[str, Any]] | None = None,
    progress: bool = True,
    **train: Any,
) -> pd.DataFrame:
    """Trains a model in place, on one device, and returns its curves, a row per logged step.

    What is not given is as in its recipe: `steps`, images a step (`batch_size`), `optim` by phase as in a pipeline
    file ({"generator": {"lr": 1e-4}}), and all other knobs of `train:`. Curves have some fifty rows; the
    average of the weights, if any, spans as large a share of the training as in the recipe. The seed, which is that of
    the order of images, seeds Python's, NumPy's and PyTorch's generators. Raises ConfigError for a knob that does not
    exist, UsageError for images that do not suit, NonFiniteLoss, OutOfMemory.
    """
    found, module = model.seen(images), model.model
    classes = _labels(labels, len(found))
    _verify_classes(model, classes)
    asked = {**train, **({} if steps is None else {"steps": steps})}
    asked |= {} if batch_size is None else {"batch_size": batch_size}
    knobs = _knobs(model, asked, optim or {})
    seeded(seed)
    device, size = fabric(knobs.train.precision), knobs.train.batch_size
    batches = BatchLoader(found.planes, classes, size=size, seed=seed, device=device.device)
    remedy = "Give a smaller batch_size."
    with (
        memory_in_words(f"training '{model.name}'", size, device.device, remedy),
        shown(f"fit {model.name}") if progress else nullcontext() as bar,
    ):
        outcome = trained(module, batches, knobs.train, knobs.optim, device=device, callbacks=[bar] if bar else [])
    table = curves_table(outcome.curves)
    model.trained(table)
    return table


def defaults(model_name: str) -> Mapping[str, Any]:
    """Returns the training knobs of the recipe with the model's name; nothing if there is none."""
    return _training(_recipe(model_name)) if model_name in recipes.names() else {}


def _recipe(name: str) -> dict[str, Any]:
    return dict(parse(recipes.recipe(name).text).value)


def _training(values: Mapping[str, Any]) -> dict[str, Any]:
    return {part: values[part] for part in ("optim", "train") if part in values}


def _knobs(model: Model, train: Mapping[str, Any], optim: Mapping[str, Mapping[str, Any]]) -> _Fit:
    """The knobs of a training: those given, else those of the model. Raises ConfigError."""
    usual = {key: value for key, value in model.knobs.get("train", {}).items() if key not in _OF_PIPELINES}
    phases = list(dict.fromkeys(phase.name for phase in model.model.phases()))
    of_phases = {phase: model.knobs.get("optim", {}).get(phase, {}) for phase in phases}
    merged = {phase: {**of_phases.get(phase, {}), **optim.get(phase, {})} for phase in [*phases, *optim]}
    values = {"optim": merged, "train": {**usual, **train}}
    document = Document("genpipe.fit", values)
    problems = phase_problems(phases, merged, ("optim",), document)
    problems += [
        document.problem((name,), "a knob of pipelines; leave it out.") for name in _OF_PIPELINES if name in train
    ]
    if problems:
        raise ConfigError(problems)
    found: _Fit = validated(_Fit, values, (), document)
    return found.model_copy(update={"train": _shortened(found.train, usual, train)})


def _shortened(knobs: Train, usual: Mapping[str, Any], given: Mapping[str, Any]) -> Train:
    """The knobs that go with the length of a training, where they are not given."""
    fewer: dict[str, Any] = {}
    if "log_every_steps" not in given:
        fewer["log_every_steps"] = max(1, knobs.steps // _ROWS)
    half_life = knobs.ema_halflife_images
    if half_life and "ema_halflife_images" not in given and usual.get("steps"):
        share = knobs.steps * knobs.batch_size / (usual["steps"] * usual.get("batch_size", knobs.batch_size))
        fewer["ema_halflife_images"] = max(1, round(half_life * share))
    return knobs.model_copy(update=fewer)


def _spec(found: Images, labels: np.ndarray | None) -> DataSpec:
    """What a model is to know of images: two levels, where there are only black and white."""
    _, height, width, channels = found.shape
    classes = () if labels is None else tuple(map(str, range(int(labels.max()) + 1)))
    levels = 2 if np.isin(found, (0, 255)).all() else 256
    missing = () if labels is None else tuple(np.flatnonzero(np.bincount(labels) == 0).tolist())
    return DataSpec(channels, height, width, classes, levels, missing)


def _labels(labels: Any, count: int) -> np.ndarray | None:
    """The class of each image, int64 [n]. Raises UsageError if they are none."""
    if labels is None:
        return None
    found = np.asarray(labels)
    if found.shape != (count,) or found.dtype.kind not in "iu" or found.min() < 0:
        raise UsageError(
            f"labels are {found.dtype} {list(found.shape)}; a class of each image is needed, whole numbers [{count}] "
            "from 0."
        )
    return found.astype(np.int64)


def _verify_classes(model: Model, labels: np.ndarray | None) -> None:
    """Raises UsageError if a model was built for other classes than there are."""
    known = len(model.spec.classes)
    if labels is None and known:
        raise UsageError(f"{model.name} was made for images of {known} classes; give the labels of these too.")
    if labels is not None and labels.max() >= known:
        what = f"those from 0 to {known - 1}" if known else "no classes; give labels to genpipe.build too"
        raise UsageError(f"labels up to {labels.max()}, and {model.name} knows {what}.")
