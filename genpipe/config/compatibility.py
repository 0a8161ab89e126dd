"""Whether parts suit each other: models and what is asked of them, phases and optimizers, extractors and images."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from genpipe import registry
from genpipe.config.derivations import derivation, field_name, with_derived
from genpipe.config.document import Document, KeyPath
from genpipe.config.validation import examined
from genpipe.errors import ConfigError, DataError, GenpipeError, Problem, Unsuitable, nearest


def missing_capabilities(
    model_class: Any, name: str, knobs: Any, metrics: Collection[str], analyses: Mapping[str, Any], document: Document
) -> list[Problem]:
    """The metrics, analyses and knobs that ask for what a model cannot do; None stands for wrong knobs."""
    from genpipe.interfaces.generative import Generates
    from genpipe.interfaces.translation import GeneratesFor

    generates = (Generates, GeneratesFor)
    asked: list[tuple[KeyPath, tuple[type, ...]]] = [
        *((("analyses", one), (needed,)) for one in analyses for needed in registry.load("analyses", one).requires),
        *((("evaluate", "metrics", one), needed) for one in metrics if (needed := _needed(one))),
        *((("train", "score_every_steps"), generates) for _ in range(bool(knobs and knobs.train.score_every_steps))),
    ]
    judges = {one: config and registry.load("analyses", one)(config) for one, config in analyses.items()}
    unscored = [
        document.problem(("analyses", one), f"draws the metric {metric}; write it under evaluate.metrics too.")
        for one in analyses
        for metric in (judges[one] or registry.load("analyses", one)).metrics
        if metric not in metrics
    ]
    unsuited = [
        document.problem(("analyses", one), told)
        for one, judge in judges.items()
        if judge and (told := judge.unsuited(model_class))
    ]
    return (
        unscored
        + unsuited
        + [
            document.problem(
                at, f"needs a model that {' or '.join(one.__name__ for one in needed)}, and {name} does not; remove it."
            )
            for at, needed in asked
            if not issubclass(model_class, needed)
        ]
    )


def unmet_fields(needed: Mapping[str, Any], name: str, data: Any, index: Document) -> list[Problem]:
    """The fields that a model needs, and the data set lacks, has of another kind, or would make false by a flip."""
    kinds = {field: (kind,) if isinstance(kind, str) else kind for field, kind in needed.items()}
    told = {field: _unmet(field, allowed, data) for field, allowed in kinds.items()}
    return [
        index.problem(("datasets", data.name), f"{name} needs the field '{field}' ({' or '.join(kinds[field])}){why}.")
        for field, why in told.items()
        if why
    ]


def _unmet(field: str, kinds: Collection[str], data: Any) -> str | None:
    """Why a data set cannot give a model a field of one of these kinds, and what to do; None if it can."""
    found = data.spec().fields.get(field)
    if found is None or found.kind not in kinds:
        there = "which these images lack" if found is None else f"and that of these images is of kind {found.kind}"
        return f", {there}; {_remedy(field, kinds, data)}"
    if data.common.horizontal_flip and found.names_sides:
        return ", which names left and right, and would be false of mirrored images; write `horizontal_flip: false`"
    return None


def _remedy(field: str, kinds: Collection[str], data: Any) -> str:
    """How a data set gets a field: by its own knob, from the sources that have it, or made of its images."""
    from genpipe.interfaces.sources import KNOWN_LABEL

    if field == KNOWN_LABEL:
        return "write `num_labels: 100` there, how many labels it may know"
    found = [given for source in registry.names("data") if (given := _given_by(source, field, kinds, data.root))]
    found += [
        f"`derive: {{{name}: {{}}}}`" for name in registry.names("derivations") if _makes(name, field, kinds, data)
    ]
    return f"write {' or '.join(found)} there" if found else "no source has it; write one (docs/extending.md)"


def _makes(name: str, field: str, kinds: Collection[str], data: Any) -> bool:
    """Whether a derivation with its default knobs makes a field of one of these kinds of the images of a data set."""
    if field_name(name) != field or name in data.derivations:
        return False
    with suppress(GenpipeError, ValueError):
        return derivation(name, registry.load("derivations", name).Config(), data.spec()).field.kind in kinds
    return False


def _given_by(source: str, field: str, kinds: Collection[str], root: Path) -> str | None:
    """What to write to get a field from a source; None if it does not have it, or only its own knobs tell."""
    with suppress(GenpipeError):
        made = registry.load("data", source)
        knobs = made.field_knobs.get(field, {})
        config, problems = examined(made.Config, knobs, (), Document("", knobs))
        found = None if problems else made(config, root).fields.get(field)
        if found and found.kind in kinds:
            return " and ".join([f"`source: {source}`", *(f"`{key}: {value}`" for key, value in knobs.items())])
    return None


def unsupported(known: Any, metrics: Mapping[str, Any], analyses: Mapping[str, Any]) -> dict[KeyPath, str]:
    """What to say of each metric and analysis, by its place, that what is known cannot serve; None: wrong knobs."""
    places: list[tuple[KeyPath, str, str, Any]] = [
        *((("evaluate", "metrics", one), "metrics", one, knobs) for one, knobs in metrics.items()),
        *((("analyses", one), "analyses", one, knobs) for one, knobs in analyses.items()),
    ]
    judges = [(at, registry.load(kind, one)(knobs)) for at, kind, one, knobs in places if knobs is not None]
    said = {at: judge.unmet_requirement(known) or judge.too_few(known.images) for at, judge in judges}
    return {at: told for at, told in said.items() if told}


def dataset_info_of(data: Any, knobs: Any, model: Any) -> Any:
    """DatasetInfo of a data set, and of an experiment on it, before any image is read. Raises DataError."""
    from genpipe.interfaces.dataset_info import DatasetInfo

    by_class = None if data.counts is None or not data.opened.classes else tuple(data.counts[:, 0].tolist())
    numbers = getattr(model, "latent_dim", None)
    return DatasetInfo(data.spec(), _images(data, knobs), by_class, numbers)


def _images(data: Any, knobs: Any) -> Any:
    """How many images there are at most: of a person's own files exactly, else as many as the knobs let through."""
    from genpipe.interfaces.dataset_info import Counts

    samples = None if knobs is None else knobs.sample.images
    if data.counts is not None:
        trained = data.counts[data.counts[:, 0] > 0].sum(0).tolist()
        return Counts(trained[0], trained[1], samples)
    bounds = [most for most in (data.common.max_images, getattr(data.source, "test_images", None)) if most is not None]
    return Counts(data.common.max_images, min(bounds, default=None), samples)


def spec_of(data: Any) -> Any:
    """The DataSpec that a data set will have, as far as it is known before any image is read.

    Raises DataError, and ConfigError with the fields that cannot be made of its images.
    """
    from genpipe.interfaces.sources import fields_of
    from genpipe.interfaces.spec import DataSpec, sides

    channels, classes = data.common.channels or data.opened.channels, data.opened.classes
    size, levels = data.common.image_size, 2 if data.common.binarize else 256
    fields = fields_of(data.opened, size, data.common.num_labels)
    return _derived(data, DataSpec(channels, *sides(size), classes, levels, _untrained(data, classes), fields))


def _derived(data: Any, spec: Any) -> Any:
    problems = []
    for name, config in data.derivations.items():
        try:
            spec = with_derived(spec, {name: config})
        except Unsuitable as error:
            problems.append(data.document.problem(("datasets", data.name, "derive", name), str(error)))
    if problems:
        raise ConfigError(problems)
    return spec


def counts_of(data: Any) -> Any:
    """How many images of each class are in each of SPLITS, where a person's own files tell; otherwise None.

    Raises DataError if there is nothing to train on, or none of the held-out images is of a class that is trained on.
    """
    from genpipe.config.selection import counted, taken

    if not data.opened.watched_paths:
        return None  # others would have to be downloaded, or made
    collection, common, classes = data.opened.collection(data.seed), data.common, data.opened.classes
    counts = counted(
        collection, taken(collection, classes, common.exclude_classes, common.max_images, data.seed), classes
    )
    training, held_out = counts[counts[:, 0] > 0].sum(0)
    if not training or not held_out:
        raise DataError(
            f"datasets.{data.name}: {'held-out' if training else 'training'} images are needed"
            f"{' of a class that has training images' if classes else ''}, and of {counts.sum():,} images none is. "
            "Give more of them, or `labels: false` if the classes do not matter."
        )
    return counts


def _untrained(data: Any, classes: Sequence[str]) -> tuple[int, ...]:
    """The classes of which it is known that no image is trained on."""
    from genpipe.config.selection import untrained

    if data.counts is not None:
        return untrained(data.counts) if classes else ()
    left_out = {str(name) for name in data.common.exclude_classes}
    return tuple(number for number, name in enumerate(classes) if name in left_out)


def _needed(metric: str) -> tuple[type, ...]:
    """The capabilities one of which a metric needs; none, if any model will do."""
    from genpipe.interfaces.classes import GeneratesClasses
    from genpipe.interfaces.generative import Reconstructs
    from genpipe.interfaces.translation import GeneratesFor, Inpaints, Translates

    wanted = registry.load("metrics", metric).input
    if wanted == "labels":
        return GeneratesClasses, GeneratesFor
    return (Reconstructs, Translates, Inpaints) if "pairs" in wanted else ()


def optim_problems(
    model_class: Any, model: Any, data: Any, optim: Mapping[str, Any], document: Document
) -> list[Problem]:
    """What is wrong with `optim`, seen from the phases of the model; it is built without memory for its weights."""
    try:
        phases = [phase.name for phase in registry.outline(model_class, model, data.spec()).phases()]
    except Unsuitable as error:
        return [document.problem(("model",), str(error))]
    return phase_problems(phases, optim, ("optim",), document)


def phase_problems(phases: Iterable[str], optim: Mapping[str, Any], at: KeyPath, document: Document) -> list[Problem]:
    """The phases that have no optimizer, and the optimizers that have no phase."""
    named = list(dict.fromkeys(phases))
    unknown = [name for name in optim if name not in named]
    missing = [name for name in named if name not in optim]
    return [document.problem((*at, name), f"no such phase.{nearest(name, named)}") for name in unknown] + [
        document.problem(at, f"the phase '{name}' is missing.") for name in missing
    ]
